//go:build !linux && !darwin

package doctor

import "errors"

// errUnknown: not implemented on this system.
var errUnknown = errors.New("not known on this system")

func filesLimit() (uint64, error) { return 0, errUnknown }
