package main

const (
	jetsPkg     = "sink/jets"
	simPkg      = "sink/sim"
	locksPkg    = "sink/locks"
	signalsPkg  = "sink/signals"
	pipelinePkg = "pipeline"
	auditPkg    = "pipeline/audit"
)

// mutants are the rules of the commit protocol, taken out one at a time.
//
// One is not here: to send a batch whose ack was lost once more as it is. It has
// the same fences, so it is stored once or refused; that is the same program,
// but for a sync. Retrying it after new fences is here.
var mutants = []mutant{
	// Fences.
	{"no position fence", signalsPkg, "TestStaleSinkIsFenced", []edit{
		{"sink/signals/sink.go", "	jets.Expect(m, s.at.Seq)\n", ""}}},
	{"no event fence", signalsPkg, "TestNewestPositionDeleted", []edit{
		{"sink/signals/sink.go", "			jets.Expect(m, s.lastEvent)\n", ""}}},
	{"fence 0 on a fresh start", signalsPkg, "TestPositionsPurged", []edit{
		{"sink/signals/sink.go", "if at.Seq == 0 || at.Seq != s.at.Seq {", "if at.Seq != s.at.Seq {"},
		{"sink/signals/sync.go", "	next.At = time.Now().UTC()\n", "	if s.at.Seq == 0 {\n		s.at = next\n		return nil\n	}\n	next.At = time.Now().UTC()\n"}}},
	{"two fresh starts at once", signalsPkg, "TestFreshStartsRace", []edit{
		{"sink/signals/sync.go", "	jets.Expect(m, s.at.Seq)\n", ""}}},
	{"no bind to the connection", signalsPkg, "TestRolledBackToTheSameSequences", []edit{
		{"sink/signals/sink.go", "if s.link != s.store.Conn.Generation() {", "if false {"}}},
	{"a refused commit tried again with new fences", signalsPkg, "TestStaleSinkIsFenced", []edit{
		{"sink/signals/sink.go", "		if err != nil {\n			return stored, s.blame(err, tries)\n		}\n		if stored += n; last {", `		if err != nil {
			if m, e := s.store.Conn.Last(ctx, jets.StreamSignals, jets.SubjectPosition(s.store.Kind.Name, s.instance)); e == nil && s.at.Seq != m.Seq && s.readLastEvent(ctx) == nil {
				s.at.Seq = m.Seq
				continue
			}
			return stored, err
		}
		if stored += n; last {`}}},
	{"events of our own overtaken as somebody else's", signalsPkg, "TestOvertakesNoneOfOurs", []edit{
		{"sink/signals/foreign.go", "		if !m.Foreign() {\n", "		if false {\n"}}},
	{"a new stream begins at 1", signalsPkg, "TestStreamMadeAnew", []edit{
		{"sink/jets/store.go", "	return highest + freshPerKey*uint64(keys) + freshMargin + rand.Uint64N(freshSpread)", "	return rand.Uint64N(1) + 1"}}},
	{"streams of two sites begin alike", signalsPkg, "TestSitesAtTheSameSequences", []edit{
		{"sink/jets/store.go", "freshMargin + rand.Uint64N(freshSpread)", "freshMargin + rand.Uint64N(1)"}}},
	{"another site's ack taken for a commit", signalsPkg, "TestAnotherSitesAckIsNoCommit", []edit{
		{"sink/jets/site.go", "	if stream == wanted && domain == *own {\n", "	if true {\n"}}},

	// The order of writes.
	{"position before its events", signalsPkg, "TestCommitCutAnywhere", []edit{
		{"sink/signals/sink.go", `	seq, err := s.send(ctx, batch)
	if err != nil {
		return err
	}
	if pos.Seq = seq; n > 0 {
		s.lastEvent = seq - 1 // a batch is stored in one piece, the position last
		s.batch.Accepted(time.Now())
	}
`, `	seq, err := s.send(ctx, jets.Messages{Len: 1, At: func(int) *nats.Msg { return m }})
	if err == nil && n > 0 {
		s.lastEvent, err = s.send(ctx, jets.Messages{Len: n, At: batch.At})
	}
	if err != nil {
		return err
	}
	pos.Seq = seq
`}}},
	{"cursor before the batch", signalsPkg, "TestCommitCutAnywhere", []edit{
		{"sink/signals/sink.go", "	stored, err := s.write(ctx, page, c)\n", `	s.at.Link = page.Next
	if err := s.follow(ctx, true); err != nil {
		return pipeline.Receipt{}, err
	}
	s.at.Link = page.Link
	stored, err := s.write(ctx, page, c)
`}}},
	{"dead letters after the batch", signalsPkg, "TestCommitCutAnywhere", []edit{
		{"sink/signals/sink.go", "	lost, err := s.writeDeadLetters(ctx, page.Link, c.dead)\n	if err != nil {\n		return pipeline.Receipt{}, err\n	}\n", ""},
		{"sink/signals/sink.go", "	s.lose(lost)\n", "	if _, err := s.writeDeadLetters(ctx, page.Link, c.dead); err != nil {\n		return pipeline.Receipt{}, err\n	}\n"}}},
	{"stored without room", signalsPkg, "TestNoRoom", []edit{
		{"sink/signals/sink.go", "	if err := s.store.Room(); err != nil {\n		return nil, nil, err\n	}\n", ""}}},
	{"a dead letter in doubt taken for lost", signalsPkg, "TestDeadLetterInDoubt", []edit{
		{"sink/signals/deadletter_keep.go", "	refusal, ok := errors.AsType[*jets.APIError](err)\n	if !ok {\n		return err\n	}\n	switch", "	refusal, ok := errors.AsType[*jets.APIError](err)\n	if !ok {\n		return errNotKept\n	}\n	switch"}}},

	// Sync.
	{"sync does not heal the cursor", signalsPkg, "TestCursorIsOnlyACopy", []edit{
		{"sink/signals/sync.go", "	if s.follows(c, s.at.Seq) && c.CompleteThrough.Equal(s.at.CompleteThrough) {\n", "	if true {\n"}}},
	{"the cursor preferred over the stream", signalsPkg, "TestCursorIsOnlyACopy", []edit{
		{"sink/signals/sync.go", "	if newest.seq == 0 || newest.err != nil {\n", "	if newest.seq == 0 || newest.err != nil || c != nil {\n"}}},
	{"no copy above foreign events", signalsPkg, "TestNewestPositionDeleted|TestForeignEventAbove", []edit{
		{"sink/signals/sync.go", "	if s.lastEvent > stood {\n", "	if false {\n"}}},
	{"a restored cursor compares with nothing", signalsPkg, "TestCursorTrailsAmongOthers", []edit{
		{"sink/signals/sync.go", "	next.DedupeFrom = cmp.Or(next.DedupeFrom, c.StreamSeq)\n", ""}}},
	{"a fresh start compares with nothing", signalsPkg, "TestStartOverWhatIsKept", []edit{
		{"sink/signals/sync.go", "DedupeFrom: s.kept(), Why: pipeline.WhyStart, Org: s.org,", "Why: pipeline.WhyStart, Org: s.org,"}}},
	{"another origin compares with nothing", signalsPkg, "TestOriginChangeStartsAfresh", []edit{
		{"sink/signals/origin.go", "= since, anchor, \"\"", "= since, 0*anchor, \"\""}}},
	{"lost data taken for purged", signalsPkg, "TestStreamLostThePosition", []edit{
		{"sink/signals/sync.go", "	if err == nil {\n		return false, nil\n	}\n", "	if err == nil {\n		return true, nil\n	}\n"}}},
	{"the stream's end not looked at", signalsPkg, "TestStreamLostThePosition", []edit{
		{"sink/signals/sync.go", "	return c.StreamSeq <= s.stream.Last, nil", "	return true, nil"}}},
	{"the watermark kept when data is lost", signalsPkg, "TestStreamLostThePosition", []edit{
		{"sink/signals/sync.go", "pipeline.Earlier(since, c.CompleteThrough)", "c.CompleteThrough"}}},
	{"the fence of an unreadable position not taken", signalsPkg, "TestUnreadablePosition", []edit{
		{"sink/signals/sync.go", "			e.seq = top.seq\n", ""}}},
	{"a newer position read all the same", signalsPkg, "TestNewerVersionIsDeclined", []edit{
		{"sink/signals/sync.go", "	if errors.Is(top.err, pipeline.ErrNewer) {\n", "	if false {\n"},
		{"sink/signals/sync.go", "		case errors.Is(e.err, pipeline.ErrNewer):\n", "		case false:\n"}}},

	// Recent ids.
	{"recent ids never match", signalsPkg, "TestRepeatsAreDropped", []edit{
		{"sink/signals/ids.go", "			return p, true\n", "			return p, false\n"}}},
	{"repeats within a page stored", signalsPkg, "TestRepeatsAreDropped", []edit{
		{"sink/signals/sink.go", "if first, ok := seen[i]; ok {", "if first, ok := seen[i]; ok && false {"}}},
	{"a repeat's other bytes are not looked at", signalsPkg, "TestConflictingRepeats", []edit{
		{"sink/signals/ids.go", "p != 0 && other != 0 && p != other", "false"}}},
	{"recent ids beyond the fence", signalsPkg, "TestIdsThroughTheFenceOnly", []edit{
		{"sink/signals/load.go", "	return s.scan(ctx, jets.SubjectEvents(s.store.Kind.Name, s.instance), max(from, s.stream.First), s.lastEvent, func", `	through := s.lastEvent
	if m, err := s.store.Conn.Last(ctx, jets.StreamSignals, jets.SubjectEvents(s.store.Kind.Name, s.instance)); err == nil {
		through = m.Seq
	}
	return s.scan(ctx, jets.SubjectEvents(s.store.Kind.Name, s.instance), max(from, s.stream.First), through, func`}}},
	{"recent ids short of the fence", signalsPkg, "TestRepeatsAreDropped", []edit{
		{"sink/signals/load.go", "		if uuid != \"\" {\n", "		if uuid != \"\" && seq != s.lastEvent {\n"}}},
	{"recent ids of the newest page alone", signalsPkg, "TestRepeatsAreDropped", []edit{
		{"sink/signals/load.go", "live == livePages {", "live == livePages-1 {"}}},
	{"a start over kept events taken for the beginning", signalsPkg, "TestStartOverWhatIsKept", []edit{
		{"sink/signals/load.go", "beginning := start && e.position.DedupeFrom == 0\n", "beginning := start\n"}}},
	{"an import over kept events that compares none", signalsPkg, "TestImportAboveEvents", []edit{
		{"sink/signals/import.go", "	if err := s.readLastEvent(ctx); err != nil {", "	if err := error(nil); err != nil {"}}},
	{"a position imported beside another one", signalsPkg, "TestImportIsTheFirst", []edit{
		{"sink/signals/import.go", "v.newest.seq > 0 || v.cursor != nil", "v.newest.seq > 0"}}},
	{"what a make-up stored taken for the newest pages", signalsPkg, "TestRepeatAfterAMakeUp", []edit{
		{"sink/signals/load.go", "e.position.Events > 0 && e.position.DedupeFrom == 0\n", "e.position.Events > 0\n"}}},
	{"recent ids without dedupe_from", signalsPkg, "TestReopenComparesAll", []edit{
		{"sink/signals/load.go", "	if s.at.DedupeFrom != 0 {\n", "	if false {\n"}}},

	// Reopening.
	{"reopened from now", signalsPkg, "TestReopenComparesAll|TestReopenBeforeAnyEvent", []edit{
		{"sink/signals/reopen.go", "	since := at.PublishedMax.Add(-s.store.Kind.Lateness)\n	if !since", "	since := now\n	if !since"}}},
	{"reopened from complete_through", signalsPkg, "TestReopenComparesAll", []edit{
		{"sink/signals/reopen.go", "	since := at.PublishedMax.Add(-s.store.Kind.Lateness)\n	if !since", "	since := at.CompleteThrough\n	if !since"}}},
	{"reopened without the overlap", signalsPkg, "TestReopenComparesAll", []edit{
		{"sink/signals/reopen.go", "	since := at.PublishedMax.Add(-s.store.Kind.Lateness)\n	if !since", "	since := at.PublishedMax\n	if !since"}}},
	{"dedupe_from not set", signalsPkg, "TestReopenComparesAll", []edit{
		{"sink/signals/reopen.go", "			next.DedupeFrom = earliest(at.DedupeFrom, anchor)\n", "			_ = anchor\n"}}},
	{"dedupe_from moved on by the next reopening", signalsPkg, "TestReopenTwice", []edit{
		{"sink/signals/reopen.go", "earliest(at.DedupeFrom, anchor)", "anchor"},
		{"sink/signals/reopen.go", "p.DedupeFrom == 0 && ", ""}}},
	{"the anchor without the overlap", signalsPkg, "TestReopenComparesAll", []edit{
		{"sink/signals/reopen.go", "Before(since.Add(-s.store.Kind.Lateness))", "Before(since)"}}},
	{"dedupe_from gone after a page", signalsPkg, "TestReopenComparesAll", []edit{
		{"sink/signals/position.go", "	if made || s.at.Why == pipeline.WhyPart {\n", "	if true {\n"}}},
	{"dedupe_from gone while known events come", signalsPkg, "TestReopenComparesAll", []edit{
		{"sink/signals/position.go", "page.CaughtUp && repeats == 0", "page.CaughtUp"}}},
	{"dedupe_from gone at any short page", signalsPkg, "TestDedupeFromEndsAtTheHead", []edit{
		{"sink/signals/position.go", "page.CaughtUp && repeats == 0", "!page.Full && repeats == 0"}}},
	{"published_max over stored events alone", signalsPkg, "TestCursorTrailsPurge", []edit{
		{"sink/signals/sink.go", "		c.publishedMax = pipeline.Later(c.publishedMax, believable(e.Published, page.Date))\n", ""}}},
	{"a published in the future believed", signalsPkg, "TestFuturePublished", []edit{
		{"sink/signals/sink.go", "		return edge\n", "		return published\n"}}},
	{"a changed query goes on along the old link", signalsPkg, "TestQueryChangeReopens", []edit{
		{"sink/signals/origin.go", "	case s.at.Query != s.query.Hash:\n", "	case false:\n"}}},

	{"a new query written before it is answered", signalsPkg, "TestMistypedOriginMovesNothing|TestRefusedReopeningWritesNothing", []edit{
		{"sink/signals/reopen.go", "	s.at, s.opening, s.fresh = next, &o, true\n	return nil\n", "	if err := s.place(ctx, next); err != nil {\n		return err\n	}\n	s.opening, s.fresh = &o, true\n	o.stored = true\n	return nil\n"}}},
	{"a query drafted by a wrong clock kept", signalsPkg, "TestDraftedByAWrongClock", []edit{
		{"sink/signals/reopen.go", "since.Before(o.since.Add(-clockSlack))", "false && since.Before(o.since)"}}},
	{"a start ahead of the org's clock reopened from there", signalsPkg, "TestStartOfAWrongClock", []edit{
		{"sink/signals/reopen.go", "	if !since.After(now) {\n", "	if true {\n"}}},

	// Origins.
	{"another origin starts at since", signalsPkg, "TestOriginChangeGoesBack", []edit{
		{"sink/signals/origin.go", "!at.PublishedMax.IsZero() && back.Before(since)", "false && back.Before(since)"}}},
	{"another org taken for the same", signalsPkg, "TestAnotherOrgIsRefused", []edit{
		{"sink/signals/origin.go", "	case other && !s.query.Another:\n", "	case false:\n"}}},
	{"another org's positions taken for anchors", signalsPkg, "TestAnotherOrgAnchors", []edit{
		{"sink/signals/reopen.go", "e.err != nil || !sameOrg(p.Org, org)", "e.err != nil"}}},
	{"an org that nobody knows taken for the same by an instance that can't be confirmed", signalsPkg, "TestStrictOrigin", []edit{
		{"sink/signals/origin.go", "	case !known && s.query.Strict:\n", "	case false:\n"}}},

	{"two orgs of one name take turns", locksPkg, "TestNameTaken", []edit{
		{"sink/locks/locks.go", "lock.Origin != \"\" && lock.Origin != c.Origin", "false"}}},

	// What was passed over.
	{"a pause beyond the org's 90 days not told", signalsPkg, "TestPauseBeyondRetention", []edit{
		{"sink/signals/reopen.go", "	if known.IsZero() || !known.Before(edge) {\n", "	if true {\n"}}},
	{"an idle org's watermark not counted", signalsPkg, "TestNoGap", []edit{
		{"sink/signals/reopen.go", "	known := s.stood.CompleteThrough\n", "	known := time.Time{}\n"}}},

	// Rewinding.
	{"a rewind compares with nothing", signalsPkg, "TestRewindUnderARunningPoller", []edit{
		{"sink/signals/rewind.go", "		next.DedupeFrom = target.Seq\n", "		next.DedupeFrom = 0\n"}}},
	{"nothing before dedupe_from compared with", signalsPkg, "TestRewindThenRepeatAcross", []edit{
		{"sink/signals/load.go", "		from = min(from, before)\n", "		from = min(from, max(before, s.at.DedupeFrom))\n"}}},
	{"published_max as a rewind left it", signalsPkg, "TestRewindKeepsPublishedMax", []edit{
		{"sink/signals/position.go", "	if made {\n", "	if false {\n"}}},
	{"a refused cursor taken lightly", signalsPkg, "TestIdlePollerNoticesARewind", []edit{
		{"sink/signals/cursor.go", "		return s.stillNewest(ctx)\n", "		return nil\n"}}},

	// Pages in parts.
	{"a part without dedupe_from", signalsPkg, "TestPageIsSplit", []edit{
		{"sink/signals/position.go", "		pos.DedupeFrom = s.at.Seq\n", ""}}},
	{"a part moves the link", signalsPkg, "TestPageIsSplit", []edit{
		{"sink/signals/position.go", "	if !last || page.Next", "	if page.Next"}}},

	// Events of the past.
	{"events of the past not compared", signalsPkg, "TestInsertDropsWhatIsStored", []edit{
		{"sink/signals/insert.go", "	s.dropKnown(&c)\n", ""}}},
	{"events of the past while known ones are served", signalsPkg, "TestInsertIsRefused", []edit{
		{"sink/signals/insert.go", "	if s.at.DedupeFrom != 0 {\n", "	if false {\n"}}},
	{"published_max not raised by events of the past", signalsPkg, "TestReopenAfterInsert|TestAnchorBehindInsert", []edit{
		{"sink/signals/insert.go", "		pos.PublishedMax = pipeline.Later(pos.PublishedMax, believable(events[i].Published, s.span.until))\n", "		_ = i\n"}}},
	{"a span of before the live poll went on", signalsPkg, "TestInsertDropsWhatIsStored", []edit{
		{"sink/signals/past_ids.go", "	if fits && s.span.through == s.lastEvent {\n", "	if fits {\n"},
		{"sink/signals/sink.go", "	s.span.add(events, c.ids[from:from+n], s.lastEvent)\n", ""}}},
	{"a span kept through a sync", signalsPkg, "TestInsertDropsWhatIsStored|TestInsertIsRefused", []edit{
		{"sink/signals/past_ids.go", "	if fits && s.span.through == s.lastEvent {\n", "	if fits {\n"},
		{"sink/signals/sync.go", "	s.span = pastIDs{} // loaded anew when it is needed: the history may be another\n", ""}}},
	{"the ids of a span without the overlap", signalsPkg, "TestInsertKnowsWhatCameLate", []edit{
		{"sink/signals/past_ids.go", "		anchor, err := s.anchor(ctx, from)\n", "		anchor, err := s.anchor(ctx, from.Add(20*time.Minute).Add(s.store.Kind.Lateness))\n"}}},
	{"a batch of the past stored before the head is polled", pipelinePkg, "TestRunnerInsertsAfterTheHead", []edit{
		{"pipeline/past.go", "	p.past, p.head.batch = past, p.head.mark()\n", "	if p.past = past; p.past != nil {\n		_ = p.insert(ctx)\n	}\n"}}},
	{"a batch of the past stored after any page that is not full", pipelinePkg, "TestRunnerInsertsAfterShortPages", []edit{
		{"pipeline/head.go", "	return h.reached > m.n || ", "	return !h.burst || "}}},
	{"what waits for the live poll taken for missing", auditPkg, "TestAuditWaitsForTheLivePoll", []edit{
		{"pipeline/audit/settle.go", "	if err := h.await(ctx); err != nil {\n		return err\n	}\n", ""}}},
	{"what was stored meanwhile taken for missing", auditPkg, "TestAuditWaitsForTheLivePoll", []edit{
		{"pipeline/audit/settle.go", "			if d.drop(h.printOf(e.UUID)) {\n				h.report.Both++\n", "			if false {\n				h.report.Both++\n"}}},

	// The org's clock.
	{"any Date believed", pipelinePkg, "TestClock", []edit{
		{"pipeline/clock.go", "	return c.belief.agrees(r)\n", "	return true\n"}}},
	{"a first Date believed that this machine's clock does not bear out", pipelinePkg, "TestClock", []edit{
		{"pipeline/clock.go", "		return near(r.date, r.local)\n", "		return true\n"}}},
	{"a watermark by a Date that is not believed", pipelinePkg, "TestRunnerWrongDate", []edit{
		{"pipeline/head.go", "	case first.n > 0 && h.clock.confirms(first.seen):\n", "	case first.n > 0:\n"},
		{"pipeline/head.go", "	case known || p.Date.IsZero():\n", "	case p.Date.IsZero():\n"}}},
	{"a published in the future believed without a Date", signalsPkg, "TestFuturePublishedWithoutADate", []edit{
		{"sink/signals/sink.go", "	page.Date = cmp.Or(page.Date, s.query.now())\n", ""}}},

	// The runner.
	{"the watermark of the answer itself", pipelinePkg, "TestRunnerWatermark", []edit{
		{"pipeline/head.go", "		return first.seen.date\n", "		return p.Date\n"}}},
	{"the watermark of a full page", pipelinePkg, "TestRunnerWatermarkOfFullPages", []edit{
		{"pipeline/head.go", "	case first.n > 0, p.Full, h.served.IsZero():\n", "	case first.n > 0, h.served.IsZero():\n"}}},
	{"a short page taken for the head", simPkg, "TestOrgThatServesFewerThanAsked", []edit{
		{"pipeline/head.go", "		return Earlier(h.served, r.seen.date)\n", "		return r.seen.date\n"}}},
	{"an empty page that leads on taken for the head", pipelinePkg, "TestRunnerEmptyPages", []edit{
		{"pipeline/head.go", "	case p.Next == p.Link:\n		first = r\n", "	default:\n		first = r\n"},
		{"pipeline/head.go", "	case len(h.empties) == headEmpties:\n", "	case false:\n"}}},
	{"no sync after a failed commit", pipelinePkg, "TestRunnerAfterAFailedCommit|TestRunnerFenced", []edit{
		{"pipeline/runner.go", "		p.drop() // it may hold what the sync will find stored, or follow a page that is not\n		return err\n", "		p.drop()\n		return nil\n"}}},
	{"a refused commit taken for done", pipelinePkg, "TestRunnerAfterAFailedCommit", []edit{
		{"pipeline/runner.go", "		p.drop() // it may hold what the sync will find stored, or follow a page that is not\n		return err\n", "		p.at.Link = page.Next\n		return nil\n"}}},
	{"the page fetched ahead taken for any position's", pipelinePkg, "TestRunnerFenced", []edit{
		{"pipeline/runner.go", "	defer p.drop()\n", ""},
		{"pipeline/runner.go", "		p.drop() // it may hold what the sync will find stored, or follow a page that is not\n", ""},
		{"pipeline/fetch.go", "	if p.ahead != nil && p.ahead.link != p.at.Link {\n", "	if false {\n"}}},
	{"reopened at the first refusal", pipelinePkg, "TestRunnerCursorRefused", []edit{
		{"pipeline/refusals.go", "times, long = refusedTwice, 0", "times, long = refusedTwice-1, 0"}}},
	{"a link that may be refused for a moment given up", pipelinePkg, "TestRunnerLinkRefused", []edit{
		{"pipeline/refusals.go", "	if plain {\n", "	if true {\n"}}},
	{"an org that refuses all that it leads to asked anew each minute", pipelinePkg, "TestRunnerLinkRefused", []edit{
		{"pipeline/refusals.go", "	if r.reopens > 0 {\n", "	if false {\n"}}},
	{"refusals counted that are not in a row", pipelinePkg, "TestRunnerCursorRefused", []edit{
		{"pipeline/refusals.go", "	r.n = 0\n	if", "	if"}}},
	{"a commit cut off by SIGTERM", pipelinePkg, "TestRunnerFinishesTheCommitInHand", []edit{
		{"pipeline/runner.go", "	ctx, stop := graceful(ctx, p.Grace)\n	defer stop()\n", ""}}},
	{"a commit that SIGTERM never ends", pipelinePkg, "TestRunnerFinishesTheCommitInHand", []edit{
		{"pipeline/fetch.go", "		cancel(context.Cause(ctx))\n", ""}}},
	{"a full page that leads to itself asked for at once", pipelinePkg, "TestRunnerDoesNotSpin", []edit{
		{"pipeline/head.go", "	case p.Next == p.Link:\n		return false\n", "	case false:\n		return false\n"}}},
}
