package run

import "testing"

// Several wakes during a poll count as one, and wakes of instances that are not polled
// here have no effect.
func TestWakes(t *testing.T) {
	var all instances
	all.Wake("acme")
	woken := all.Of("acme").wake
	if len(woken) != 0 {
		t.Error("woken before it was polled")
	}
	all.Wake("globex")
	all.Wake("acme")
	all.Wake("acme")
	if len(woken) != 1 || all.Of("acme").wake != woken {
		t.Errorf("%d wakes wait", len(woken))
	}
	all.Forget("acme")
	all.Wake("acme")
	if len(all.Of("acme").wake) != 0 {
		t.Error("woken though it is no more")
	}
}
