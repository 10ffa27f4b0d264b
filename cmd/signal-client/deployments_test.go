package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

const deployments = "../../deployments"

// The variables that the deployments set or offer exist.
func TestDeploymentsNameVariables(t *testing.T) {
	known := map[string]bool{}
	for _, v := range settings() {
		known[v.Name] = true
	}
	found := 0
	err := filepath.WalkDir(deployments, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, name := range namedVariable.FindAllString(string(text), -1) {
			found++
			if !known[name] {
				t.Errorf("%s names %s, which is not there", path, name)
			}
		}
		return err
	})
	if err != nil || found < 20 {
		t.Errorf("%d variables found: %v", found, err)
	}
}
