package search

import "testing"

// Between two counts, events that are indexed as they come count in stream and index.
func TestProgressFollowsTheStream(t *testing.T) {
	var p progress
	p.begin(checkpoint{}, 30)
	p.took(mark{}, 10, 20)
	if now := p.get(); now.Stream != 30 || now.Indexed != 20 {
		t.Errorf("behind: %+v", now)
	}
	p.took(mark{}, 0, 10)
	p.took(mark{}, 1, 5)
	if now := p.get(); now.Stream != 36 || now.Indexed != 35 || now.Behind != 1 {
		t.Errorf("following: %+v", now)
	}
	p.counted(40, 39, p.rows())
	p.took(mark{}, 0, 1)
	if now := p.get(); now.Stream != 40 || now.Indexed != 40 {
		t.Errorf("after a count: %+v", now)
	}
}
