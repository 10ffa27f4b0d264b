package okta

import "github.com/witfoo/signal-client/pipeline/jsonscan"

func actor(data []byte) []string {
	actor := jsonscan.Member(data, "actor")
	return []string{jsonscan.Text(actor, "id"), jsonscan.Text(actor, "alternateId"), jsonscan.Text(actor, "displayName")}
}

func address(data []byte) string { return jsonscan.Text(data, "client", "ipAddress") }

func outcome(data []byte) string { return jsonscan.Text(data, "outcome", "result") }
