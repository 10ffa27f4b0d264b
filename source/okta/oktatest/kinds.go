package oktatest

import "math/rand/v2"

// kind is a kind of event.
type kind struct {
	weight int // per thousand or so
	play   func(*scene)
}

// kinds lists what happens in an org, by approximate frequency.
var kinds = []kind{
	{150, signIn}, {45, signInFailed}, {12, guessed}, {130, challenge}, {30, pushDenied}, {240, singleSignOn},
	{160, policyEvaluated}, {60, signOut}, {70, tokenGranted}, {25, clientRoamed}, {14, passwordChanged},
	{12, groupChanged}, {10, appAssigned}, {6, userCreated}, {5, userDeactivated}, {4, policyChanged}, {4, appChanged},
	{3, adminOpened}, {2, apiToken}, {3, rateWarning}, {2, shareViolation}, {12, directoryImport}, {4, threat},
}

// chooser picks kinds by weight.
type chooser struct{ total int }

func newChooser() chooser {
	c := chooser{}
	for _, k := range kinds {
		c.total += k.weight
	}
	return c
}

func (c chooser) pick(r *rand.Rand) kind {
	n := r.IntN(c.total)
	for _, k := range kinds {
		if n -= k.weight; n < 0 {
			return k
		}
	}
	return kinds[0]
}

func signIn(s *scene) {
	s.be("user.session.start", "User login to Okta", "core.user_auth.login_success")
	s.session = "idx" + token(s.Rand, 22)
	s.user.session = s.session
	s.credential = "PASSWORD"
	s.provider = "OKTA_AUTHENTICATION_PROVIDER"
}

func signInFailed(s *scene) {
	s.be("user.session.start", "User login to Okta", "core.user_auth.login_failed")
	s.end("FAILURE", "INVALID_CREDENTIALS")
	s.session = ""
	s.debug = object{{"loginResult", "INVALID_CREDENTIALS"}}
}

// guessed is one attempt of a campaign against many accounts.
func guessed(s *scene) {
	signInFailed(s)
	s.place, s.browser, s.risk = attackerPlace, script, "HIGH"
	s.ip = s.g.address(attackerPlace)
	if s.IntN(4) == 0 {
		s.be("user.account.lock", "Max sign in attempts exceeded", "core.user_auth.account_locked")
		s.end("FAILURE", "LOCKED_OUT")
		s.severity = "WARN"
	}
}

var factors = []string{"OKTA_VERIFY_PUSH", "FIDO_WEBAUTHN", "TOKEN:SOFTWARE:TOTP", "SMS_FACTOR", "SIGNED_NONCE"}

func challenge(s *scene) {
	factor := factors[s.IntN(len(factors))]
	s.be("user.authentication.auth_via_mfa", "Authentication of user via MFA", "core.user.factor.attempt_success")
	s.provider, s.credential = "FACTOR_PROVIDER", "OTP"
	s.debug = object{{"factor", factor}, {"factorIntent", "AUTHENTICATION"}}
	if s.IntN(12) == 0 {
		s.end("FAILURE", "INVALID_CREDENTIALS")
		s.legacy = "core.user.factor.attempt_fail"
	}
	s.target(s.userTarget(s.user))
	s.target(object{{"id", oktaID("aut", 11)}, {"type", "AuthenticatorEnrollment"}, {"alternateId", "unknown"},
		{"displayName", factor}, {"detailEntry", object{{"methodTypeUsed", "Use " + factor}, {"methodUsedVerifiedProperties", "[DEVICE_BOUND, USER_PRESENCE]"}}}})
}

func pushDenied(s *scene) {
	if s.IntN(6) != 0 {
		s.be("system.push.send_factor_verify_push", "Send Verify Push Notification", "core.user.sms.message_sent.factor")
		s.target(s.userTarget(s.user))
		return
	}
	s.be("user.mfa.okta_verify.deny_push", "User rejected Okta push verify", nil)
	s.end("DENY", "USER_REJECTED_OKTA_VERIFY_PUSH")
	s.severity, s.risk = "WARN", "MEDIUM"
	s.target(s.userTarget(s.user))
}

func singleSignOn(s *scene) {
	a := s.app()
	s.be("user.authentication.sso", "User single sign on to app", "app.auth.sso")
	s.debug = object{{"initiationType", "SP_INITIATED"}, {"signOnMode", "SAML 2.0"}, {"appname", a.kind}, {"authnRequestId", token(s.Rand, 27)}}
	s.target(s.appTarget(a))
	s.target(object{{"id", oktaID("0ua", s.Uint64())}, {"type", "AppUser"}, {"alternateId", s.user.login},
		{"displayName", s.user.name}, {"detailEntry", nil}})
}

func policyEvaluated(s *scene) {
	s.be("policy.evaluate_sign_on", "Evaluation of sign-on policy", nil)
	result := []string{"ALLOW", "ALLOW", "ALLOW", "CHALLENGE", "CHALLENGE", "DENY"}[s.IntN(6)]
	s.end(result, "Sign-on policy evaluation resulted in "+result)
	s.severity = "INFO"
	if result == "DENY" {
		s.severity, s.risk = "WARN", "MEDIUM"
	}
	s.target(object{{"id", s.g.cast.policy}, {"type", "PolicyEntity"}, {"alternateId", "unknown"},
		{"displayName", "Any two factors"}, {"detailEntry", object{{"policyType", "OktaSignOn"}}}})
	s.target(object{{"id", s.g.cast.rule}, {"type", "PolicyRule"}, {"alternateId", s.g.cast.policy},
		{"displayName", "Catch-all rule"}, {"detailEntry", object{{"policyRuleFactorMode", "2FA"}, {"policyRulePriority", 99}, {"enabled", true}}}})
	if s.IntN(2) == 0 {
		s.target(s.appTarget(s.app()))
	}
}

func signOut(s *scene) {
	s.be("user.session.end", "User logout from Okta", "core.user_auth.logout_success")
	s.user.session = ""
}

func tokenGranted(s *scene) {
	a := s.app()
	s.be("app.oauth2.token.grant.access_token", "OIDC access token is granted", nil)
	s.debug = object{{"grantType", "authorization_code"}, {"requestedScopes", "openid, profile, offline_access"},
		{"grantedScopes", "openid, profile, offline_access"}, {"clientAuthType", "client_secret_basic"}}
	s.target(s.appTarget(a))
	s.target(object{{"id", "AT." + token(s.Rand, 43)}, {"type", "access_token"}, {"alternateId", nil}, {"displayName", "Access Token"},
		{"detailEntry", object{{"expires", publishedText(s.published.Add(3600e9))}, {"subject", s.user.id}, {"hash", token(s.Rand, 22)}}}})
}

func clientRoamed(s *scene) {
	s.be("user.session.context.change", "User session context changed", nil)
	s.severity = "WARN"
	s.place = places[s.IntN(len(places))]
	s.ip = s.g.address(s.place)
	s.debug = object{{"changedFields", "[ip, city]"}, {"previousIp", s.user.ip}}
}

func (s *scene) app() app { return s.g.cast.apps[s.IntN(len(s.g.cast.apps))] }

func (s *scene) userTarget(u *user) object {
	return object{{"id", u.id}, {"type", "User"}, {"alternateId", u.login}, {"displayName", u.name}, {"detailEntry", nil}}
}

func (s *scene) appTarget(a app) object {
	return object{{"id", a.id}, {"type", "AppInstance"}, {"alternateId", a.name}, {"displayName", a.name},
		{"detailEntry", object{{"signOnModeType", "SAML_2_0"}, {"signOnModeEvaluationResult", "AUTHENTICATED"}}}}
}

func (s *scene) groupTarget(g group) object {
	return object{{"id", g.id}, {"type", "UserGroup"}, {"alternateId", "unknown"}, {"displayName", g.name}, {"detailEntry", nil}}
}

// administer replaces the user by an administrator.
func (s *scene) administer() (of *user) {
	of = s.user
	s.user = &s.g.cast.users[12*s.IntN(castSize/12)] // every twelfth user is an administrator
	s.session = s.user.session
	s.place, s.ip, s.browser = s.user.home, s.user.ip, s.user.browser
	if s.IntN(3) == 0 { // by a program with an administrator's token
		s.detail = object{{"requestApiTokenId", oktaID("00T", 5)}}
		s.browser = browser{"tidewater-provisioner/2.4", "Unknown", "UNKNOWN"}
	}
	return of
}
