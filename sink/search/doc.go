// Package search keeps a copy of SIGNALS in VictoriaLogs, to search it: in a child
// process of this one, or in a remote VictoriaLogs.
//
// JetStream is the truth. The index may be deleted at any time and is built again from
// the stream. At rest it holds each event exactly once, except those that VictoriaLogs
// does not take, which are counted. Polling depends on nothing here.
//
// Start reading at [Service.Run].
package search
