package config

import "testing"

func TestReachable(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8000": "127.0.0.1:8000", "0.0.0.0:8000": "127.0.0.1:8000", ":8000": "127.0.0.1:8000",
		"[::]:8000": "127.0.0.1:8000", "[::1]:8000": "[::1]:8000", "stage:80": "stage:80",
	} {
		if got := Reachable(addr); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
}
