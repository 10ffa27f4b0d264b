package run

import "testing"

// Wakes that come while a poll works are one, and those of instances that are not
// polled here go nowhere.
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
