// Package api is /api/v1 of the console, and the read-only way to the search index under
// /select/. schemas/openapi.json describes it.
//
// It decodes requests, asks package view and the sinks, and encodes answers; errors are
// problem documents (RFC 9457). Who may send a request is decided by package access; here
// routes that change something require the role admin.
//
// Start at [New].
package api
