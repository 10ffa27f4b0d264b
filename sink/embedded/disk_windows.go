package embedded

import "golang.org/x/sys/windows"

// diskLeft returns the space on a directory's file system that this user may use.
func diskLeft(dir string) (left, total uint64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	err = windows.GetDiskFreeSpaceEx(path, &left, &total, nil)
	return left, total, err
}
