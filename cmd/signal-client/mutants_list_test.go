package main

const (
	jetsPkg     = "sink/jets"
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
	{"no position fence", jetsPkg, "TestStaleSinkIsFenced", []edit{
		{"sink/jets/sink.go", "	expect(m, s.at.Seq)\n", ""}}},
	{"no event fence", jetsPkg, "TestNewestPositionDeleted", []edit{
		{"sink/jets/sink.go", "			expect(m, s.lastEvent)\n", ""}}},
	{"fence 0 on a fresh start", jetsPkg, "TestPositionsPurged", []edit{
		{"sink/jets/sink.go", "if at.Seq == 0 || at.Seq != s.at.Seq {", "if at.Seq != s.at.Seq {"},
		{"sink/jets/sync.go", "	next.At = time.Now().UTC()\n", "	if s.at.Seq == 0 {\n		s.at = next\n		return nil\n	}\n	next.At = time.Now().UTC()\n"}}},
	{"two fresh starts at once", jetsPkg, "TestFreshStartsRace", []edit{
		{"sink/jets/sync.go", "	expect(m, s.at.Seq)\n", ""}}},
	{"no bind to the connection", jetsPkg, "TestRolledBackToTheSameSequences", []edit{
		{"sink/jets/sink.go", "if s.link != s.store.Conn.Generation() {", "if false {"}}},
	{"a refused commit tried again with new fences", jetsPkg, "TestStaleSinkIsFenced", []edit{
		{"sink/jets/sink.go", "		if err != nil {\n			return stored, s.blame(err, tries)\n		}\n		if stored += n; last {", `		if err != nil {
			if m, e := s.store.Conn.Last(ctx, StreamSignals, SubjectPosition(s.instance)); e == nil && s.at.Seq != m.Seq && s.readLastEvent(ctx) == nil {
				s.at.Seq = m.Seq
				continue
			}
			return stored, err
		}
		if stored += n; last {`}}},
	{"events of our own overtaken as somebody else's", jetsPkg, "TestOvertakesNoneOfOurs", []edit{
		{"sink/jets/foreign.go", "		if !m.Foreign() {\n", "		if false {\n"}}},
	{"a new stream begins at 1", jetsPkg, "TestStreamMadeAnew", []edit{
		{"sink/jets/store.go", "	return least + rand.Uint64N(freshSpread), nil", "	return least - least + rand.Uint64N(1) + 1, nil"}}},
	{"streams of two sites begin alike", jetsPkg, "TestSitesAtTheSameSequences", []edit{
		{"sink/jets/store.go", "	return least + rand.Uint64N(freshSpread), nil", "	return least + rand.Uint64N(1), nil"}}},
	{"another site's ack taken for a commit", jetsPkg, "TestAnotherSitesAckIsNoCommit", []edit{
		{"sink/jets/site.go", "	if stream == wanted && domain == *own {\n", "	if true {\n"}}},

	// The order of writes.
	{"position before its events", jetsPkg, "TestCommitCutAnywhere", []edit{
		{"sink/jets/sink.go", `	seq, err := s.send(ctx, batch)
	if err != nil {
		return err
	}
	if pos.Seq = seq; n > 0 {
		s.lastEvent = seq - 1 // a batch is stored in one piece, the position last
		s.batch.Accepted(time.Now())
	}
`, `	seq, err := s.send(ctx, messages{len: 1, at: func(int) *nats.Msg { return m }})
	if err == nil && n > 0 {
		s.lastEvent, err = s.send(ctx, messages{len: n, at: batch.at})
	}
	if err != nil {
		return err
	}
	pos.Seq = seq
`}}},
	{"cursor before the batch", jetsPkg, "TestCommitCutAnywhere", []edit{
		{"sink/jets/sink.go", "	stored, err := s.write(ctx, page, c)\n", `	s.at.Link = page.Next
	if err := s.follow(ctx, true); err != nil {
		return pipeline.Receipt{}, err
	}
	s.at.Link = page.Link
	stored, err := s.write(ctx, page, c)
`}}},
	{"dead letters after the batch", jetsPkg, "TestCommitCutAnywhere", []edit{
		{"sink/jets/sink.go", "	lost, err := s.bury(ctx, page.Link, c.dead)\n	if err != nil {\n		return pipeline.Receipt{}, err\n	}\n", ""},
		{"sink/jets/sink.go", "	s.lose(lost)\n", "	if _, err := s.bury(ctx, page.Link, c.dead); err != nil {\n		return pipeline.Receipt{}, err\n	}\n"}}},
	{"stored without room", jetsPkg, "TestNoRoom", []edit{
		{"sink/jets/sink.go", "	if err := s.store.room(); err != nil {\n		return nil, nil, err\n	}\n", ""}}},
	{"a dead letter in doubt taken for lost", jetsPkg, "TestDeadLetterInDoubt", []edit{
		{"sink/jets/deadletter_keep.go", "	refusal, ok := errors.AsType[*apiError](err)\n	if !ok {\n		return err\n	}\n	switch", "	refusal, ok := errors.AsType[*apiError](err)\n	if !ok {\n		return errNotKept\n	}\n	switch"}}},

	// Sync.
	{"sync does not heal the cursor", jetsPkg, "TestCursorIsOnlyACopy", []edit{
		{"sink/jets/sync.go", "	if s.stands(c) {\n", "	if true {\n"}}},
	{"the cursor preferred over the stream", jetsPkg, "TestCursorIsOnlyACopy", []edit{
		{"sink/jets/sync.go", "	if newest.seq == 0 || newest.err != nil {\n", "	if newest.seq == 0 || newest.err != nil || c != nil {\n"}}},
	{"no copy above foreign events", jetsPkg, "TestNewestPositionDeleted|TestForeignEventAbove", []edit{
		{"sink/jets/sync.go", "	if s.lastEvent > stood {\n", "	if false {\n"}}},
	{"a restored cursor compares with nothing", jetsPkg, "TestCursorTrailsAmongOthers", []edit{
		{"sink/jets/sync.go", "		next.DedupeFrom = c.StreamSeq\n", "		next.DedupeFrom = 0\n"}}},
	{"a fresh start compares with nothing", jetsPkg, "TestStartOverWhatIsKept", []edit{
		{"sink/jets/sync.go", "DedupeFrom: s.kept(), Why: pipeline.WhyStart, Org: s.org,", "Why: pipeline.WhyStart, Org: s.org,"}}},
	{"another origin compares with nothing", jetsPkg, "TestOriginChangeStartsAfresh", []edit{
		{"sink/jets/origin.go", "= since, anchor, \"\"", "= since, 0*anchor, \"\""}}},
	{"lost data taken for purged", jetsPkg, "TestStreamLostThePosition", []edit{
		{"sink/jets/sync.go", "	if err == nil {\n		return false, nil\n	}\n", "	if err == nil {\n		return true, nil\n	}\n"}}},
	{"the stream's end not looked at", jetsPkg, "TestStreamLostThePosition", []edit{
		{"sink/jets/sync.go", "	return c.StreamSeq <= s.stream.Last, nil", "	return true, nil"}}},
	{"the watermark kept when data is lost", jetsPkg, "TestStreamLostThePosition", []edit{
		{"sink/jets/sync.go", "	if c.CompleteThrough.Before(through) {\n", "	if true {\n"}}},
	{"the fence of an unreadable position not taken", jetsPkg, "TestUnreadablePosition", []edit{
		{"sink/jets/sync.go", "			e.seq = top.seq\n", ""}}},
	{"a newer position read all the same", jetsPkg, "TestNewerVersionIsDeclined", []edit{
		{"sink/jets/sync.go", "	if errors.Is(top.err, pipeline.ErrNewer) {\n", "	if false {\n"},
		{"sink/jets/sync.go", "		case errors.Is(e.err, pipeline.ErrNewer):\n", "		case false:\n"}}},

	// Recent ids.
	{"recent ids never match", jetsPkg, "TestRepeatsAreDropped", []edit{
		{"sink/jets/ids.go", "			return p, true\n", "			return p, false\n"}}},
	{"repeats within a page stored", jetsPkg, "TestRepeatsAreDropped", []edit{
		{"sink/jets/sink.go", "if first, ok := seen[i]; ok {", "if first, ok := seen[i]; ok && false {"}}},
	{"a repeat's other bytes are not looked at", jetsPkg, "TestConflictingRepeats", []edit{
		{"sink/jets/ids.go", "p != 0 && other != 0 && p != other", "false"}}},
	{"recent ids beyond the fence", jetsPkg, "TestIdsThroughTheFenceOnly", []edit{
		{"sink/jets/load.go", "	return s.scan(ctx, SubjectEvents(s.instance), max(from, s.stream.First), s.lastEvent, func", `	through := s.lastEvent
	if m, err := s.store.Conn.Last(ctx, StreamSignals, SubjectEvents(s.instance)); err == nil {
		through = m.Seq
	}
	return s.scan(ctx, SubjectEvents(s.instance), max(from, s.stream.First), through, func`}}},
	{"recent ids short of the fence", jetsPkg, "TestRepeatsAreDropped", []edit{
		{"sink/jets/load.go", "		if uuid != \"\" {\n", "		if uuid != \"\" && seq != s.lastEvent {\n"}}},
	{"recent ids of the newest page alone", jetsPkg, "TestRepeatsAreDropped", []edit{
		{"sink/jets/load.go", "live == livePages {", "live == livePages-1 {"}}},
	{"a start over kept events taken for the beginning", jetsPkg, "TestStartOverWhatIsKept", []edit{
		{"sink/jets/load.go", "e.position.Why == pipeline.WhyStart && e.position.DedupeFrom == 0\n", "e.position.Why == pipeline.WhyStart\n"}}},
	{"what a make-up stored taken for the newest pages", jetsPkg, "TestRepeatAfterAMakeUp", []edit{
		{"sink/jets/load.go", "e.position.Events > 0 && e.position.DedupeFrom == 0\n", "e.position.Events > 0\n"}}},
	{"recent ids without dedupe_from", jetsPkg, "TestReopenComparesAll", []edit{
		{"sink/jets/load.go", "	if s.at.DedupeFrom != 0 {\n", "	if false {\n"}}},

	// Reopening.
	{"reopened from now", jetsPkg, "TestReopenComparesAll|TestReopenBeforeAnyEvent", []edit{
		{"sink/jets/reopen.go", "	since := at.PublishedMax.Add(-s.store.Kind.Lateness)\n	if !since", "	since := now\n	if !since"}}},
	{"reopened from complete_through", jetsPkg, "TestReopenComparesAll", []edit{
		{"sink/jets/reopen.go", "	since := at.PublishedMax.Add(-s.store.Kind.Lateness)\n	if !since", "	since := at.CompleteThrough\n	if !since"}}},
	{"reopened without the overlap", jetsPkg, "TestReopenComparesAll", []edit{
		{"sink/jets/reopen.go", "	since := at.PublishedMax.Add(-s.store.Kind.Lateness)\n	if !since", "	since := at.PublishedMax\n	if !since"}}},
	{"dedupe_from not set", jetsPkg, "TestReopenComparesAll", []edit{
		{"sink/jets/reopen.go", "			next.DedupeFrom = earliest(at.DedupeFrom, anchor)\n", "			_ = anchor\n"}}},
	{"dedupe_from moved on by the next reopening", jetsPkg, "TestReopenTwice", []edit{
		{"sink/jets/reopen.go", "earliest(at.DedupeFrom, anchor)", "anchor"},
		{"sink/jets/reopen.go", "p.DedupeFrom == 0 && ", ""}}},
	{"the anchor without the overlap", jetsPkg, "TestReopenComparesAll", []edit{
		{"sink/jets/reopen.go", "Before(since.Add(-s.store.Kind.Lateness))", "Before(since)"}}},
	{"dedupe_from gone after a page", jetsPkg, "TestReopenComparesAll", []edit{
		{"sink/jets/position.go", "	if made || s.at.Why == pipeline.WhyPart {\n", "	if true {\n"}}},
	{"dedupe_from gone while known events come", jetsPkg, "TestReopenComparesAll", []edit{
		{"sink/jets/position.go", "page.CaughtUp && repeats == 0", "page.CaughtUp"}}},
	{"dedupe_from gone at any short page", jetsPkg, "TestDedupeFromEndsAtTheHead", []edit{
		{"sink/jets/position.go", "page.CaughtUp && repeats == 0", "!page.Full && repeats == 0"}}},
	{"published_max over stored events alone", jetsPkg, "TestCursorTrailsPurge", []edit{
		{"sink/jets/sink.go", "		c.publishedMax = latest(c.publishedMax, believable(e.Published, page.Date))\n", ""}}},
	{"a published in the future believed", jetsPkg, "TestFuturePublished", []edit{
		{"sink/jets/sink.go", "		return edge\n", "		return published\n"}}},
	{"a changed query goes on along the old link", jetsPkg, "TestQueryChangeReopens", []edit{
		{"sink/jets/origin.go", "	case s.at.Query != s.query.Hash:\n", "	case false:\n"}}},

	{"a new query written before it is answered", jetsPkg, "TestMistypedOriginMovesNothing|TestRefusedReopeningWritesNothing", []edit{
		{"sink/jets/reopen.go", "	s.at, s.opening, s.fresh = next, &o, true\n	return nil\n", "	if err := s.place(ctx, next); err != nil {\n		return err\n	}\n	s.opening, s.fresh = &o, true\n	o.stored = true\n	return nil\n"}}},
	{"a query drafted by a wrong clock kept", jetsPkg, "TestDraftedByAWrongClock", []edit{
		{"sink/jets/reopen.go", "since.Before(o.since.Add(-clockSlack))", "false && since.Before(o.since)"}}},
	{"a start ahead of the org's clock reopened from there", jetsPkg, "TestStartOfAWrongClock", []edit{
		{"sink/jets/reopen.go", "	if !since.After(now) {\n", "	if true {\n"}}},

	// Origins.
	{"another origin starts at since", jetsPkg, "TestOriginChangeGoesBack", []edit{
		{"sink/jets/origin.go", "!at.PublishedMax.IsZero() && back.Before(since)", "false && back.Before(since)"}}},
	{"another org taken for the same", jetsPkg, "TestAnotherOrgIsRefused", []edit{
		{"sink/jets/origin.go", "	case other && !s.query.Another:\n", "	case false:\n"}}},
	{"another org's positions taken for anchors", jetsPkg, "TestAnotherOrgAnchors", []edit{
		{"sink/jets/reopen.go", "e.err != nil || !sameOrg(p.Org, org)", "e.err != nil"}}},
	{"an org that nobody knows taken for the same by an instance that can't be confirmed", jetsPkg, "TestStrictOrigin", []edit{
		{"sink/jets/origin.go", "	case !known && s.query.Strict:\n", "	case false:\n"}}},

	{"two orgs of one name take turns", jetsPkg, "TestNameTaken", []edit{
		{"sink/jets/locks.go", "lock.Origin != \"\" && lock.Origin != c.Origin", "false"}}},

	// What was passed over.
	{"a pause beyond the org's 90 days not told", jetsPkg, "TestPauseBeyondRetention", []edit{
		{"sink/jets/reopen.go", "	if known.IsZero() || !known.Before(edge) {\n", "	if true {\n"}}},
	{"an idle org's watermark not counted", jetsPkg, "TestNoGap", []edit{
		{"sink/jets/reopen.go", "	known := s.stood.CompleteThrough\n", "	known := time.Time{}\n"}}},

	// Rewinding.
	{"a rewind compares with nothing", jetsPkg, "TestRewindUnderARunningPoller", []edit{
		{"sink/jets/rewind.go", "		next.DedupeFrom = target.Seq\n", "		next.DedupeFrom = 0\n"}}},
	{"nothing before dedupe_from compared with", jetsPkg, "TestRewindThenRepeatAcross", []edit{
		{"sink/jets/load.go", "		from = min(from, before)\n", "		from = min(from, max(before, s.at.DedupeFrom))\n"}}},
	{"published_max as a rewind left it", jetsPkg, "TestRewindKeepsPublishedMax", []edit{
		{"sink/jets/position.go", "	if made {\n", "	if false {\n"}}},
	{"a refused cursor taken lightly", jetsPkg, "TestIdlePollerNoticesARewind", []edit{
		{"sink/jets/cursor.go", "		return s.stillNewest(ctx)\n", "		return nil\n"}}},

	// Pages in parts.
	{"a part without dedupe_from", jetsPkg, "TestPageIsSplit", []edit{
		{"sink/jets/position.go", "		pos.DedupeFrom = s.at.Seq\n", ""}}},
	{"a part moves the link", jetsPkg, "TestPageIsSplit", []edit{
		{"sink/jets/position.go", "	if !last || page.Next", "	if page.Next"}}},

	// Events of the past.
	{"events of the past not compared", jetsPkg, "TestInsertDropsWhatIsStored", []edit{
		{"sink/jets/insert.go", "	s.dropKnown(&c)\n", ""}}},
	{"events of the past while known ones are served", jetsPkg, "TestInsertIsRefused", []edit{
		{"sink/jets/insert.go", "	if s.at.DedupeFrom != 0 {\n", "	if false {\n"}}},
	{"published_max not raised by events of the past", jetsPkg, "TestReopenAfterInsert|TestAnchorBehindInsert", []edit{
		{"sink/jets/insert.go", "		pos.PublishedMax = latest(pos.PublishedMax, believable(events[i].Published, s.span.until))\n", "		_ = i\n"}}},
	{"a span of before the live poll went on", jetsPkg, "TestInsertDropsWhatIsStored", []edit{
		{"sink/jets/span.go", "	if fits && s.span.through == s.lastEvent {\n", "	if fits {\n"},
		{"sink/jets/sink.go", "	s.span.add(events, c.ids[from:from+n], s.lastEvent)\n", ""}}},
	{"a span kept through a sync", jetsPkg, "TestInsertDropsWhatIsStored|TestInsertIsRefused", []edit{
		{"sink/jets/span.go", "	if fits && s.span.through == s.lastEvent {\n", "	if fits {\n"},
		{"sink/jets/sync.go", "	s.span = span{} // loaded anew when it is needed: the history may be another\n", ""}}},
	{"the ids of a span without the overlap", jetsPkg, "TestInsertKnowsWhatCameLate", []edit{
		{"sink/jets/span.go", "		anchor, err := s.anchor(ctx, from)\n", "		anchor, err := s.anchor(ctx, from.Add(20*time.Minute).Add(s.store.Kind.Lateness))\n"}}},
	{"a batch of the past stored before the head is polled", pipelinePkg, "TestRunnerInsertsAfterTheHead", []edit{
		{"pipeline/past.go", "	w.past, w.head.batch = past, w.head.mark()\n", "	if w.past = past; w.past != nil {\n		_ = w.insert(ctx)\n	}\n"}}},
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
	{"a published in the future believed without a Date", jetsPkg, "TestFuturePublishedWithoutADate", []edit{
		{"sink/jets/sink.go", "		page.Date = s.query.now()\n", ""}}},

	// The runner.
	{"the watermark of the answer itself", pipelinePkg, "TestRunnerWatermark", []edit{
		{"pipeline/head.go", "		return first.seen.date\n", "		return p.Date\n"}}},
	{"the watermark of a full page", pipelinePkg, "TestRunnerWatermarkOfFullPages", []edit{
		{"pipeline/head.go", "	case first.n > 0, p.Full, h.served.IsZero():\n", "	case first.n > 0, h.served.IsZero():\n"}}},
	{"a short page taken for the head", jetsPkg, "TestOrgThatServesFewerThanAsked", []edit{
		{"pipeline/head.go", "		return older(h.served, r.seen.date)\n", "		return r.seen.date\n"}}},
	{"an empty page that leads on taken for the head", pipelinePkg, "TestRunnerEmptyPages", []edit{
		{"pipeline/head.go", "	case p.Next == p.Link:\n		first = r\n", "	default:\n		first = r\n"},
		{"pipeline/head.go", "	case len(h.empties) == headEmpties:\n", "	case false:\n"}}},
	{"no sync after a failed commit", pipelinePkg, "TestRunnerAfterAFailedCommit|TestRunnerFenced", []edit{
		{"pipeline/runner.go", "		w.drop() // it may hold what the sync will find stored, or follow a page that is not\n		return err\n", "		w.drop()\n		return nil\n"}}},
	{"a refused commit taken for done", pipelinePkg, "TestRunnerAfterAFailedCommit", []edit{
		{"pipeline/runner.go", "		w.drop() // it may hold what the sync will find stored, or follow a page that is not\n		return err\n", "		w.at.Link = page.Next\n		return nil\n"}}},
	{"the page fetched ahead taken for any position's", pipelinePkg, "TestRunnerFenced", []edit{
		{"pipeline/runner.go", "	defer w.drop()\n", ""},
		{"pipeline/runner.go", "		w.drop() // it may hold what the sync will find stored, or follow a page that is not\n", ""},
		{"pipeline/fetch.go", "	if w.ahead != nil && w.ahead.link != w.at.Link {\n", "	if false {\n"}}},
	{"reopened at the first refusal", pipelinePkg, "TestRunnerCursorRefused", []edit{
		{"pipeline/refusals.go", "times, long = refusedTwice, 0", "times, long = refusedTwice-1, 0"}}},
	{"a link that may be refused for a moment given up", pipelinePkg, "TestRunnerLinkRefused", []edit{
		{"pipeline/refusals.go", "	if plain {\n", "	if true {\n"}}},
	{"an org that refuses all that it leads to asked anew each minute", pipelinePkg, "TestRunnerLinkRefused", []edit{
		{"pipeline/refusals.go", "	if r.reopens > 0 {\n", "	if false {\n"}}},
	{"refusals counted that are not in a row", pipelinePkg, "TestRunnerCursorRefused", []edit{
		{"pipeline/refusals.go", "	r.n = 0\n	if", "	if"}}},
	{"a commit cut off by SIGTERM", pipelinePkg, "TestRunnerFinishesTheCommitInHand", []edit{
		{"pipeline/runner.go", "	ctx, stop := graceful(ctx, w.Grace)\n	defer stop()\n", ""}}},
	{"a commit that SIGTERM never ends", pipelinePkg, "TestRunnerFinishesTheCommitInHand", []edit{
		{"pipeline/fetch.go", "		cancel(context.Cause(ctx))\n", ""}}},
	{"a full page that leads to itself asked for at once", pipelinePkg, "TestRunnerDoesNotSpin", []edit{
		{"pipeline/head.go", "	case p.Next == p.Link:\n		return false\n", "	case false:\n		return false\n"}}},
}
