package okta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/limiter"
	"github.com/witfoo/signal-client/source/page"
)

const (
	organizationPath = "/.well-known/okta-organization"
	organizationTime = 5 * time.Second
)

// Organization asks which org answers at Origin, and returns its id, which is the same
// for all of its host names. The request needs no token and carries none. It goes after
// all others that wait for the org's budget, and counts as one of them. It may run
// concurrently with Poll, and gives up after 5 s. Source: Okta's API reference, Org Well
// Known URIs, read 2026-11-28.
func (c *Client) Organization(ctx context.Context) (string, error) {
	c.once.Do(c.withDefaults)
	ctx, cancel := context.WithTimeoutCause(ctx, organizationTime, errors.New("no answer in time"))
	defer cancel()
	if err := c.Limiter.Wait(ctx, limiter.Request{Share: c.Share, Rank: limiter.Past}); err != nil {
		return "", fmt.Errorf("wait for budget of %s: %w", c.Origin, err)
	}
	defer c.Limiter.Failed()                    // its headers don't show the System Log's budget
	slot, err := c.InFlight.Take(ctx, 1, false) // it is small, and a poll waits for it
	if err != nil {
		return "", fmt.Errorf("wait for other requests: %w", err)
	}
	defer slot.Release()
	id, err := c.organization(ctx)
	if err != nil {
		return "", fmt.Errorf("ask %s which org it is: %w", c.Origin, c.readable(err))
	}
	return id, nil
}

func (c *Client) organization(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Origin+organizationPath, nil)
	if err != nil {
		return "", fmt.Errorf("make request: %w: %w", err, pipeline.ErrConfig)
	}
	req.Close = c.Interval > source.IdleConnTime
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.UserAgent)
	resp, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d", resp.StatusCode)
	}
	body, err := page.Read(ctx, resp, 0, &page.Reservation{Most: maxRefuse})
	if err != nil {
		return "", err
	}
	var org struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(body, &org); err != nil {
		return "", fmt.Errorf("answer is not that of an org: %w", err)
	}
	if id := clean(org.ID, maxName); id != "" {
		return id, nil
	}
	return "", fmt.Errorf("answer names no id")
}
