package simulated

import (
	"slices"

	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// FaultKind is a kind of fault with the names of its faults.
type FaultKind struct {
	Name   string
	Faults []string
}

// FaultKinds lists all faults that an org can have.
func FaultKinds() []FaultKind {
	kind := func(name string, faults []oktatest.Fault) FaultKind {
		k := FaultKind{Name: name}
		for _, f := range faults {
			k.Faults = append(k.Faults, f.Name)
		}
		return k
	}
	return []FaultKind{
		kind("request or credential refused", oktatest.RefusalFaults()),
		kind("throttled", oktatest.ThrottleFaults()),
		kind("server failed", oktatest.ServerFaults()),
		kind("broken body", oktatest.BodyFaults()),
		kind("hostile or missing link", oktatest.LinkFaults()),
		kind("odd elements", oktatest.ElementFaults()),
		kind("wrong clock", oktatest.ClockFaults()),
	}
}

func faultsNamed(names []string) []oktatest.Fault {
	return slices.DeleteFunc(oktatest.Faults(), func(f oktatest.Fault) bool { return !slices.Contains(names, f.Name) })
}
