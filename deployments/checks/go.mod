module github.com/witfoo/signal-client/deployments/checks

go 1.26.5
