package okta

import (
	"encoding/json"
	"strings"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
)

// reading is how people read events of the System Log.
func reading() pipeline.Reading {
	return pipeline.Reading{
		Columns:   []string{"outcome.result", "eventType", "actor.alternateId", "client.ipAddress", "displayMessage"},
		Facets:    []string{"eventType", "outcome.result", "actor.alternateId", "client.ipAddress", "client.geographicalContext.country", "severity"},
		Story:     story,
		Relations: relations,
	}
}

// story reads an event's story. Okta writes "unknown" for what it does not know.
func story(data []byte) pipeline.Story {
	text := func(path ...string) string { return known(jsonscan.Text(data, path...)) }
	s := pipeline.Story{
		Actor:  principal(jsonscan.Member(data, "actor")),
		Act:    text("displayMessage"),
		From:   text("client", "ipAddress"),
		Result: text("outcome", "result"),
		Reason: text("outcome", "reason"),
	}
	if s.Act == "" {
		s.Act = text("eventType")
	}
	var targets []json.RawMessage
	if json.Unmarshal(jsonscan.Member(data, "target"), &targets) == nil {
		for _, t := range targets {
			if name := principal(t); name != "" {
				s.Targets = append(s.Targets, name)
			}
		}
	}
	place := joined(", ", text("client", "geographicalContext", "city"), text("client", "geographicalContext", "country"))
	switch {
	case s.From == "":
		s.From = place
	case place != "":
		s.From += " (" + place + ")"
	}
	return s
}

// principal names an actor or a target: its display name, and its login if that differs.
func principal(data []byte) string {
	text := func(member string) string { return known(jsonscan.Text(data, member)) }
	display, login := text("displayName"), text("alternateId")
	switch {
	case display == "" && login == "":
		return joined(" ", text("type"), text("id"))
	case display == "" || strings.EqualFold(display, login):
		return login
	case login == "":
		return display
	}
	return display + " (" + login + ")"
}

// relations are what an event shares with others.
func relations(data []byte) []pipeline.Relation {
	var all []pipeline.Relation
	for _, r := range []pipeline.Relation{
		{Name: "session", Field: "authenticationContext.externalSessionId"},
		{Name: "transaction", Field: "transaction.id"},
		{Name: "actor", Field: "actor.id"},
		{Name: "actor", Field: "actor.alternateId"},
		{Name: "address", Field: "client.ipAddress"},
	} {
		r.Value = known(jsonscan.Text(data, strings.Split(r.Field, ".")...))
		if r.Value != "" && (len(all) == 0 || all[len(all)-1].Name != r.Name) {
			all = append(all, r)
		}
	}
	return all
}

func known(text string) string {
	if strings.EqualFold(text, "unknown") {
		return ""
	}
	return text
}

// joined joins the texts that are not empty.
func joined(by string, texts ...string) string {
	var kept []string
	for _, t := range texts {
		if t != "" {
			kept = append(kept, t)
		}
	}
	return strings.Join(kept, by)
}
