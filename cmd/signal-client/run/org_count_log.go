package run

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/witfoo/signal-client/pipeline"
)

// orgCountLog logs the number of integrations whenever it changes.
type orgCountLog struct {
	pipeline.Integrations
	static int
	log    *slog.Logger
	loaded func(map[string]pipeline.Entry) // called with all entries on each change
	hint   string                          // how to add the first one
}

// Watch implements pipeline.Integrations.
func (a *orgCountLog) Watch(ctx context.Context, changed func(map[string]pipeline.Entry)) error {
	last := ""
	return a.Integrations.Watch(ctx, func(entries map[string]pipeline.Entry) {
		if now := a.count(entries); now != last {
			last = now
			a.log.Info(now)
		}
		a.loaded(entries)
		changed(entries)
	})
}

func (a *orgCountLog) count(entries map[string]pipeline.Entry) string {
	var disabled, wrong int
	for _, e := range entries {
		switch {
		case e.Err != nil:
			wrong++
		case !e.Integration.Enabled:
			disabled++
		}
	}
	if len(entries)+a.static == 0 {
		return "integrations: none; " + a.hint
	}
	var parts []string
	for _, p := range []struct {
		count int
		what  string
	}{
		{len(entries), "stored in INTEGRATIONS"}, {a.static, "from the environment"},
		{disabled, "disabled"}, {wrong, "with an invalid value"},
	} {
		if p.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.count, p.what))
		}
	}
	return "integrations: " + strings.Join(parts, ", ")
}
