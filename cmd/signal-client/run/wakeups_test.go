package run

import "testing"

// Wakes that come while a poll works are one, and those of instances that are not
// polled here go nowhere.
func TestWakes(t *testing.T) {
	var w wakeups
	w.Wake("acme")
	woken := w.Of("acme")
	if len(woken) != 0 {
		t.Error("woken before it was polled")
	}
	w.Wake("globex")
	w.Wake("acme")
	w.Wake("acme")
	if len(woken) != 1 || w.Of("acme") != woken {
		t.Errorf("%d wakes wait", len(woken))
	}
	w.Forget("acme")
	w.Wake("acme")
	if len(w.Of("acme")) != 0 {
		t.Error("woken though it is no more")
	}
}
