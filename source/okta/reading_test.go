package okta

import (
	"reflect"
	"testing"

	"github.com/witfoo/signal-client/pipeline"
)

func TestStory(t *testing.T) {
	for event, want := range map[string]pipeline.Story{
		`{"actor":{"displayName":"Ana Lee","alternateId":"ana@example.com"},"displayMessage":"User login to Okta","eventType":"user.session.start",
		  "client":{"ipAddress":"203.0.113.9","geographicalContext":{"city":"Oslo","country":"Norway"}},"outcome":{"result":"FAILURE","reason":"INVALID_CREDENTIALS"},
		  "target":[{"type":"AppInstance","displayName":"Salesforce","alternateId":"unknown"},{"type":"User","id":"00u1","displayName":null},7]}`: {
			Actor: "Ana Lee (ana@example.com)", Act: "User login to Okta", Targets: []string{"Salesforce", "User 00u1"},
			From: "203.0.113.9 (Oslo, Norway)", Result: "FAILURE", Reason: "INVALID_CREDENTIALS",
		},
		`{"eventType":"x","actor":{"displayName":"A@b.c","alternateId":"a@B.c"},"client":{"geographicalContext":{"country":"Norway"}}}`: {
			Actor: "a@B.c", Act: "x", From: "Norway",
		},
		`{"actor":"x","target":{},"client":[],"outcome":{"result":3},"displayMessage":null}`: {},
		`[]`:  {},
		``:    {},
		`{"a`: {},
	} {
		if got := Kind.Reading.Story([]byte(event)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", event, got, want)
		}
	}
}

func TestRelations(t *testing.T) {
	for event, want := range map[string][]pipeline.Relation{
		`{"authenticationContext":{"externalSessionId":"102"},"transaction":{"id":"W1"},"actor":{"id":"00u1","alternateId":"ana@example.com"},"client":{"ipAddress":"203.0.113.9"}}`: {
			{Name: "session", Field: "authenticationContext.externalSessionId", Value: "102"}, {Name: "transaction", Field: "transaction.id", Value: "W1"}, {Name: "actor", Field: "actor.id", Value: "00u1"}, {Name: "address", Field: "client.ipAddress", Value: "203.0.113.9"},
		},
		`{"authenticationContext":{"externalSessionId":"unknown"},"actor":{"id":null,"alternateId":"ana@example.com"}}`: {{Name: "actor", Field: "actor.alternateId", Value: "ana@example.com"}},
		`{"actor":[]}`: nil,
		`x`:            nil,
	} {
		if got := Kind.Reading.Relations([]byte(event)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v", event, got)
		}
	}
}
