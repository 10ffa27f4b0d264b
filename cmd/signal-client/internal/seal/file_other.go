//go:build !unix

package seal

import "os"

const permissions = false

func own(*os.File, os.FileInfo) error { return nil }

func syncDir(string) error { return nil }
