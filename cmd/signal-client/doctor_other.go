//go:build !linux && !darwin

package main

func diskLeft(string) (left, total uint64, err error) { return 0, 0, errUnknown }

func filesLimit() (uint64, error) { return 0, errUnknown }
