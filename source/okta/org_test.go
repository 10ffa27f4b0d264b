package okta_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

func clientOf(org *oktatest.Org) *okta.Client {
	return &okta.Client{
		Instance:   "prod",
		Origin:     "https://acme.okta.com",
		Credential: pipeline.NewSecret("00tokenOfTheOrg"),
		HTTP:       &http.Client{Transport: org.Transport()},
	}
}

// A simulated org is drained in order and byte for byte, at the speed that its share
// allows, and without one refusal.
func TestDrainOfAnOrg(t *testing.T) {
	for _, limit := range []int{20, 50, 120} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { drainOrg(t, limit) })
		})
	}
}

func drainOrg(t *testing.T, limit int) {
	org := oktatest.New(oktatest.Config{
		Seed: uint64(limit), Skew: 7 * time.Minute, Rate: oktatest.Rate{PerMinute: limit},
		Synthesize: oktatest.Synthesize{Events: limit * 5 * 4},
	})
	c := clientOf(org)
	link := okta.Start("", 4, time.Now().Add(-48*time.Hour))
	var got [][]byte
	began := time.Now()
	for {
		page, err := c.Poll(t.Context(), link)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range page.Events {
			got = append(got, event.Data)
		}
		link = page.Next
		if !page.Full {
			break
		}
	}
	minutes := time.Since(began).Minutes()
	if stats := org.Stats(); stats.Violations > 0 || stats.MaxWindow > limit/2 {
		t.Errorf("%d refused, %d in one window of %d", stats.Violations, stats.MaxWindow, limit)
	}
	// Ten shares are needed; the last one and what is left of the first are cut.
	if minutes > 10/0.95+1 {
		t.Errorf("took %.1f minutes for ten minutes' shares", minutes)
	}
	want := org.Events()
	if len(got) != len(want) {
		t.Fatalf("%d events of %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i].Data) {
			t.Fatalf("event %d: %.100q, want %.100q", i, got[i], want[i].Data)
		}
	}
}

// Every fault of an org is over for us when it is over: the same link then serves its
// page.
func TestFaultsOfAnOrg(t *testing.T) {
	for _, fault := range oktatest.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { survive(t, fault) })
		})
	}
}

func survive(t *testing.T, fault oktatest.Fault) {
	org := oktatest.New(oktatest.Config{Synthesize: oktatest.Synthesize{Events: 30}})
	c := clientOf(org)
	c.MaxBody = 1 << 20
	page, err := c.Poll(t.Context(), okta.Start("", 10, time.Now().Add(-48*time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	link := page.Next
	org.SetFault(func(oktatest.Request) oktatest.Fault { return fault })
	page, err = c.Poll(t.Context(), link)
	checkFault(t, fault, page, err)
	org.SetFault(nil)
	if page, err = c.Poll(t.Context(), link); err != nil || len(page.Events) != 10 {
		t.Errorf("after the fault: %d events, %v", len(page.Events), err)
	}
}

func checkFault(t *testing.T, fault oktatest.Fault, page pipeline.Page, err error) {
	t.Helper()
	var want error
	switch {
	case fault.Status == 429:
		want = pipeline.ErrThrottled
	case fault.Status == 401, fault.Status == 403:
		want = pipeline.ErrCredential
	case fault.Name == "bad after":
		want = pipeline.ErrCursor
	case fault.Name == "bad limit":
		want = pipeline.ErrConfig
	case fault.Status >= 400 && fault.Status < 500:
		want = pipeline.ErrLink // of a cursor's link that holds no filter and no since
	}
	for _, kind := range []error{pipeline.ErrThrottled, pipeline.ErrCredential, pipeline.ErrCursor, pipeline.ErrLink, pipeline.ErrConfig} {
		if errors.Is(err, kind) != (kind == want) {
			t.Errorf("%v matches %q: %v", err, kind, errors.Is(err, kind))
		}
	}
	good := strings.HasPrefix(fault.Name, "slow") || fault.Repeat > 0 || fault.Inject != nil ||
		slices.ContainsFunc(oktatest.ClockFaults(), func(f oktatest.Fault) bool { return f.Name == fault.Name }) ||
		fault.Next == oktatest.NextSelf || fault.Next == oktatest.NextAbsent
	if wantPage := want == nil && good; (err == nil) != wantPage {
		t.Errorf("page of %d events, %v", len(page.Events), err)
	}
	if err != nil && (page.Events != nil || page.Next != "" || len(err.Error()) > 700) {
		t.Errorf("%+v beside %v", page, err)
	}
}

// A link that begins after the org's own clock was made by a wrong clock: its empty page,
// with a cursor in the future, is not a page.
func TestLinkOfAWrongClock(t *testing.T) {
	org := oktatest.New(oktatest.Config{Synthesize: oktatest.Synthesize{Events: 30}})
	c := clientOf(org)
	now := time.Now()
	ahead := okta.Start("", 10, now.Add(time.Hour))
	for _, link := range []pipeline.Link{ahead, ahead + "&after=99999999999999_1"} {
		if page, err := c.Poll(t.Context(), link); !errors.Is(err, pipeline.ErrCursor) {
			t.Errorf("%s: a page that leads to %q, %v", link, page.Next, err)
		}
	}
	for _, link := range []pipeline.Link{okta.Start("", 10, now.Add(-time.Hour)), okta.Window("", 10, now.Add(time.Hour), now.Add(2*time.Hour))} {
		if _, err := c.Poll(t.Context(), link); err != nil {
			t.Errorf("%s: %v", link, err)
		}
	}
}

// The org's id is requested without the token and outside the budget; any other answer is
// an error and gives no id.
func TestOrganization(t *testing.T) {
	org := oktatest.New(oktatest.Config{Seed: 3})
	c := clientOf(org)
	id, err := c.Organization(t.Context())
	if err != nil || !strings.HasPrefix(id, "00o") {
		t.Fatalf("%q, %v", id, err)
	}
	if again, err := clientOf(org).Organization(t.Context()); again != id || err != nil {
		t.Errorf("%q and %q, %v", id, again, err)
	}
	for _, r := range org.Requests() {
		if r.Credential || r.Cookie {
			t.Errorf("%+v", r)
		}
	}
	if other, err := clientOf(oktatest.New(oktatest.Config{Seed: 4})).Organization(t.Context()); other == id || err != nil {
		t.Errorf("another org is %q, %v", other, err)
	}
	for _, fault := range []oktatest.Fault{{Status: 404, Code: "E0000007"}, {Body: "<html>"}, {Body: `{"id":7}`}, {Body: "{}"}, {Disconnect: true}} {
		org.SetFault(func(oktatest.Request) oktatest.Fault { return fault })
		if id, err := c.Organization(t.Context()); err == nil || id != "" {
			t.Errorf("%+v: %q", fault, id)
		}
	}
}
