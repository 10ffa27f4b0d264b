package oktatest

import "strconv"

func passwordChanged(s *scene) {
	s.be("user.account.update_password", "User update password for Okta", "core.user.config.password_update.success")
	s.target(s.userTarget(s.user))
}

func groupChanged(s *scene) {
	of := s.administer()
	s.be("group.user_membership.add", "Add user to group membership", "core.user_group_member.user_add")
	if s.IntN(3) == 0 {
		s.be("group.user_membership.remove", "Remove user from group membership", "core.user_group_member.user_remove")
	}
	s.target(s.userTarget(of))
	s.target(s.groupTarget(s.g.cast.groups[s.IntN(len(s.g.cast.groups))]))
}

func appAssigned(s *scene) {
	of := s.administer()
	s.be("application.user_membership.add", "Add user to application membership", "app.generic.provision.assign_user_to_app")
	s.target(s.userTarget(of))
	s.target(s.appTarget(s.app()))
}

func userCreated(s *scene) {
	of := s.administer()
	s.be("user.lifecycle.create", "Create okta user", "core.user.config.user_creation.success")
	s.target(s.userTarget(of))
}

func userDeactivated(s *scene) {
	of := s.administer()
	s.be("user.lifecycle.deactivate", "Deactivate Okta user", "core.user.config.user_deactivated")
	s.target(s.userTarget(of))
}

// policyChanged writes what was changed sometimes as a text and sometimes as an object.
func policyChanged(s *scene) {
	s.administer()
	s.be("policy.rule.update", "Update policy rule", nil)
	var subject any = "{\"groups\":{\"include\":[\"" + s.g.cast.groups[1].id + "\"]}}"
	if s.IntN(2) == 0 {
		subject = object{{"groups", object{{"include", array{s.g.cast.groups[1].id}}}}}
	}
	s.target(object{{"id", s.g.cast.rule}, {"type", "PolicyRule"}, {"alternateId", "unknown"}, {"displayName", "Catch-all rule"},
		{"detailEntry", object{{"policyType", "AuthenticationPolicy"}, {"status", "ACTIVE"}, {"priority", 3}}},
		{"changeDetails", object{
			{"from", object{{"policySubject", subject}, {"maxSessionIdleMinutes", 120}, {"rememberDevice", true}}},
			{"to", object{{"policySubject", subject}, {"maxSessionIdleMinutes", 60}, {"rememberDevice", false}}}}}})
}

func appChanged(s *scene) {
	s.administer()
	s.be("application.lifecycle.update", "Update application", "app.generic.config.app_updated")
	target := s.appTarget(s.app())
	target.set("changeDetails", object{{"from", object{{"label", "Expenses"}}}, {"to", object{{"label", "Travel & Expenses"}}}})
	s.target(target)
}

func adminOpened(s *scene) {
	s.administer()
	s.be("user.session.access_admin_app", "User accessing Okta admin app", "app.admin.sso.login.success")
	s.target(object{{"id", oktaID("0ua", 17)}, {"type", "AppUser"}, {"alternateId", s.user.login}, {"displayName", s.user.name}, {"detailEntry", nil}})
}

func apiToken(s *scene) {
	s.administer()
	s.be("system.api_token.create", "Create API token", "api.token.create")
	s.target(object{{"id", oktaID("00T", s.Uint64())}, {"type", "Token"}, {"alternateId", "unknown"},
		{"displayName", "log export " + strconv.Itoa(1+s.IntN(9))}, {"detailEntry", nil}})
}

func rateWarning(s *scene) {
	s.job, s.user, s.severity = true, nil, "WARN"
	s.be("system.org.rate_limit.warning", "Rate limit warning", "core.framework.ratelimit.warning")
	s.debug = object{{"rateLimitBucketUuid", s.g.uuid()}, {"threshold", "60"}, {"timeSpan", "1"}, {"timeUnit", "MINUTES"},
		{"url", "/api/v1/users?after=" + token(s.Rand, 20)}}
	s.target(object{{"id", "/api/v1/users"}, {"type", "URL Pattern"}, {"alternateId", nil}, {"displayName", nil}, {"detailEntry", nil}})
}

func shareViolation(s *scene) {
	s.job, s.user, s.severity = true, nil, "WARN"
	s.be("system.operation.rate_limit.violation", "Operation rate limit violation", nil)
	s.end("RATE_LIMIT", nil)
	s.debug = object{{"operationRateLimitScopeType", "ssws_token"}, {"operationRateLimitSecondsToReset", strconv.Itoa(s.IntN(60))},
		{"operationRateLimitThreshold", "60"}, {"operationRateLimitTimeSpan", "1"}, {"operationRateLimitTimeUnit", "MINUTES"},
		{"operationRateLimitType", "web_request"}}
	s.target(object{{"id", oktaID("00T", 5)}, {"type", "SSWS token"}, {"alternateId", nil}, {"displayName", nil}, {"detailEntry", nil}})
}

// directoryImport is done by a job: it has no browser, and sometimes no targets.
func directoryImport(s *scene) {
	s.job, s.user = true, nil
	s.be("system.import.user.update", "Update user during import", "app.user_management.user_updated")
	s.debug = object{{"jobId", oktaID("job", s.Uint64())}, {"usersUpdated", strconv.Itoa(s.IntN(400))}, {"appname", "active_directory"}}
	if s.IntN(8) == 0 {
		s.display = ""
	}
}

func threat(s *scene) {
	s.user, s.place, s.browser, s.risk, s.severity = nil, attackerPlace, script, "HIGH", "WARN"
	s.ip = s.g.address(attackerPlace)
	s.be("security.threat.detected", "Request from suspicious actor", "security.threat.detected")
	s.end("DENY", "Password Spray")
	s.debug = object{{"threatDetections", `{"Password Spray":"HIGH"}`}}
}
