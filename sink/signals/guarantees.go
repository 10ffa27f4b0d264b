// Package signals and those around it guarantee what is listed here, each guarantee with
// the tests that prove it.
//
// # Which tests prove which guarantee
//
// Run one with: go test -run '^TestName$' ./...
//
//   - Each event that Okta serves is stored exactly once per instance: through SIGKILL
//     at any line, a frozen process that wakes hours later, a lost acknowledgement, NATS
//     servers that restart, freeze or are cut off, wrong clocks, a changed query, and a
//     stream that was rolled back to a backup. TestSimulation, TestSimulationOfFencesAlone,
//     TestSimulationOfEvictions, TestSimulationOfClocks, TestSimulationFleet,
//     TestKillEmbedded, TestKillFleet, TestKillCluster, TestRolledBack,
//     TestLockOfFrozenProcess.
//   - Events are stored in the order in which Okta stored them. TestSimulation,
//     TestDrainOfAnOrg.
//   - The payload is Okta's bytes. TestSplit, FuzzSplit, TestOddEventsAreStoredToTheByte,
//     TestSamples.
//   - Polling resumes at the stored position; the bucket CURSORS is a copy.
//     TestCursorIsOnlyACopy, TestCursorTrailsPurge.
//   - Watermarks are true, and a gap is reported. TestSimulation, TestSimulationOfPauses,
//     TestSimulationOfShortPages, TestKillFleet.
//   - What is not an event never stops or loses events; it becomes a dead letter.
//     TestDeadLetters, TestDeadLetterThatCantBeKept, TestConflictingRepeats,
//     TestFaultsOfAnOrg.
//   - Requests stay within rate_share of the org's rate limit. TestLimiterUsesItsShare,
//     TestLimiterBesideOthers.
//   - A refused credential is tried less and less often. TestBreakerOpens,
//     TestBreakerDoubles.
//   - A token goes to its org's origin only, and is never logged or shown.
//     TestTokenStaysWithTheOrg, TestTokenIsInNoError, TestASecretIsHiddenFromEveryVerb.
//   - Two processes do not poll one org at once, and one takes over from another.
//     TestLockHeldByOne, TestLockAfterKill, TestSimulationFleetApart, TestKillFleet,
//     TestKillCluster.
//   - Audits, repairs and backfills find what is missing and store it without doubles.
//     TestSimulationOfThePast, TestSimulationOfThePastInShortPages,
//     TestBackfillsAheadOfTheLivePoll, TestInsertCutAnywhere, TestAuditRepairs.
//   - A quiet org is asked once per interval; a busy one is drained without a pause.
//     TestQuietOrgIsAskedOnceAnInterval, TestBusyOrgIsDrainedAtOnce,
//     TestOrgThatServesFewerThanAsked, TestShortPagesInADrain, TestFreshness.
//   - A wrong entry in INTEGRATIONS harms no other one.
//     TestFleetStopsWhatIsDisabledDeletedOrWrong, TestParseIntegrationNamesEachWrongField.
package signals
