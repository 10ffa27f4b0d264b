package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/notify"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
)

func (a *api) listNotifications(w http.ResponseWriter, r *http.Request) {
	d, _, err := notify.Read(r.Context(), a.notifications)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, d)
}

// Bounds of the history.
const (
	defaultHistory = 100
	mostHistory    = 10_000
)

func (a *api) notified(w http.ResponseWriter, r *http.Request) {
	limit := defaultHistory
	var err error
	if text := r.URL.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > mostHistory {
			a.fail(w, r, bad(http.StatusUnprocessableEntity, "limit", "it is no number from 1 to "+strconv.Itoa(mostHistory), "leave it out for the newest 100"))
			return
		}
	}
	all, err := a.notifications.Sent(r.Context(), limit)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, all)
}

// edited returns the name in the path, the body, and all channels and rules.
func (a *api) edited(w http.ResponseWriter, r *http.Request) (name string, data []byte, all buckets.Rules, err error) {
	if data, err = jsonBody(w, r); err != nil {
		return "", nil, all, err
	}
	all, err = a.notifications.Read(r.Context())
	return r.PathValue("name"), data, all, err
}

func (a *api) putChannel(w http.ResponseWriter, r *http.Request) {
	name, data, all, err := a.edited(w, r)
	var c buckets.Channel
	if err == nil {
		c, err = notify.Channel(all, name, data)
	}
	if err == nil {
		err = a.notifications.PutChannel(r.Context(), c)
	}
	if err != nil {
		a.fail(w, r, invalid(err))
		return
	}
	c.Version = 1
	_, existed := all.Channel(name)
	answer(w, a.made(r, "channel", name, existed), notify.Describe(c, nil))
}

func (a *api) putRule(w http.ResponseWriter, r *http.Request) {
	name, data, all, err := a.edited(w, r)
	var rule buckets.Rule
	if err == nil {
		rule, err = notify.Rule(all, name, data)
	}
	if err == nil {
		err = a.notifications.PutRule(r.Context(), rule)
	}
	if err != nil {
		a.fail(w, r, invalid(err))
		return
	}
	rule.Version = 1
	_, existed := all.Rule(name)
	answer(w, a.made(r, "rule", name, existed), rule)
}

// made logs who put a channel or rule, and returns the status of the answer.
func (a *api) made(r *http.Request, what, name string, existed bool) int {
	act, status := "created", http.StatusCreated
	if existed {
		act, status = "changed", http.StatusOK
	}
	a.logEdit(r, what, act, name)
	return status
}

func (a *api) logEdit(r *http.Request, what, act, name string) {
	by := access.From(r.Context())
	a.Log.Info("console: notification "+what+" "+act, what, name, "by", by.Name, "via", by.Via)
}

func (a *api) deleteChannel(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	all, err := a.notifications.Read(r.Context())
	if err == nil {
		_, err = channelOf(all, name)
	}
	if rules := all.Using(name); err == nil && len(rules) > 0 {
		err = bad(http.StatusConflict, "name", "rules send to it: "+strings.Join(rules, ", "), "take the channel out of them first")
	}
	if err == nil {
		err = a.notifications.DeleteChannel(r.Context(), name)
	}
	a.deleted(w, r, "channel", name, err)
}

func (a *api) deleteRule(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	all, err := a.notifications.Read(r.Context())
	if _, ok := all.Rule(name); err == nil && !ok {
		err = bad(http.StatusNotFound, "name", "there is no rule of that name", "see GET "+root+"/notifications")
	}
	if err == nil {
		err = a.notifications.DeleteRule(r.Context(), name)
	}
	a.deleted(w, r, "rule", name, err)
}

func (a *api) deleted(w http.ResponseWriter, r *http.Request, what, name string, err error) {
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.logEdit(r, what, "removed", name)
	w.WriteHeader(http.StatusNoContent)
}

func channelOf(all buckets.Rules, name string) (buckets.Channel, error) {
	c, ok := all.Channel(name)
	if !ok {
		return c, bad(http.StatusNotFound, "name", "there is no channel of that name", "see GET "+root+"/notifications")
	}
	return c, nil
}

// testChannel sends a test message to a stored channel or, if there is a body, to the
// channel that it would be after a PUT of that body.
func (a *api) testChannel(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	all, err := a.notifications.Read(r.Context())
	var c buckets.Channel
	stored := r.ContentLength == 0
	switch {
	case err != nil:
	case stored:
		c, err = channelOf(all, name)
	default:
		var data []byte
		if data, err = jsonBody(w, r); err == nil {
			c, err = notify.Channel(all, name, data)
		}
	}
	if err != nil {
		a.fail(w, r, invalid(err))
		return
	}
	user := access.From(r.Context())
	c.FilesDir = a.Store.Secrets.Dir
	tested := notify.Test(r.Context(), a.Network.Receivers(), c, user.Name)
	a.Log.Info("console: notification channel tested", "channel", name, "sent", tested.Sent, "by", user.Name, "via", user.Via)
	if stored {
		if err := notify.RecordTest(r.Context(), a.notifications, tested, user.Name); err != nil {
			a.Log.Warn("console: the test of a channel is not recorded", "channel", name, "err", err)
		}
	}
	answer(w, http.StatusOK, tested)
}

// invalid returns what is wrong with a channel or rule, field by field; it returns any
// other error as it is.
func invalid(err error) error {
	wrongs, ok := errors.AsType[*pipeline.ConfigError](err)
	if !ok {
		return err
	}
	var e view.Invalid
	for _, c := range wrongs.Complaints {
		cause, remedy, _ := strings.Cut(strings.TrimSuffix(c.Problem, ")"), " (")
		if remedy == "" {
			remedy = fmt.Sprintf("change %s, and send it again", c.Field)
		}
		e.Fields = append(e.Fields, view.FieldError{Field: c.Field, Cause: "it " + cause, Remedy: remedy})
	}
	return &e
}
