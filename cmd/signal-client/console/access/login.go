package access

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// mostLoginBody is the largest form that /login reads.
const mostLoginBody = 16 << 10

func loginURL(next string) string {
	if next = localPath(next); next == "/" {
		return "/login"
	}
	return "/login?next=" + url.QueryEscape(next)
}

// localPath returns where to go after a login: a path of this console with its query, or
// "/". What a browser could read as another host is none.
func localPath(next string) string {
	u, err := url.Parse(next)
	switch {
	case err != nil, !strings.HasPrefix(next, "/"), strings.HasPrefix(next, "//"), strings.ContainsAny(next, "\\"),
		strings.ContainsFunc(next, func(c rune) bool { return c <= ' ' || c == 0x7f }),
		u.Scheme != "", u.Host != "", u.User != nil, len(next) > 2048,
		u.Path == "/login", strings.HasPrefix(u.Path, "/login/"), u.Path == "/logout", strings.HasPrefix(u.Path, "//"):
		return "/"
	}
	return next
}

func (a *Access) showLogin(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if a.config.open() || a.config.Proxy != nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	a.loginPage(w, r, http.StatusOK, LoginPage{Next: next})
}

// loginPage shows the login with the ways that there are.
func (a *Access) loginPage(w http.ResponseWriter, r *http.Request, status int, page LoginPage) {
	page.Password, page.OIDC = a.passwords != nil, a.config.OIDC != nil
	w.Header().Set("Cache-Control", "no-store")
	if a.config.Render != nil {
		a.config.Render(w, r, status, "login", page)
		return
	}
	w.WriteHeader(status)
	fmt.Fprintln(w, page.Failed)
}

// login checks a password and begins a session.
func (a *Access) login(w http.ResponseWriter, r *http.Request) {
	if a.passwords == nil {
		a.Refuse(w, r, Refusal{Status: http.StatusNotFound, Title: "There is no such page", Cause: "Nobody logs in with a password here."})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, mostLoginBody)
	if err := r.ParseForm(); err != nil {
		a.Refuse(w, r, Refusal{Status: http.StatusBadRequest, Title: "Not a login", Cause: "The form can't be read, or is too large.", Remedy: "Log in at /login."})
		return
	}
	name, password := r.PostForm.Get("user"), r.PostForm.Get("password")
	page := LoginPage{Next: localPath(r.PostForm.Get("next")), User: name}
	if len(name) > mostUserName || len(password) > mostPassword {
		name, password = "", "" // as wrong as any other
	}
	address := a.addressOf(r)
	if wait := a.attempts.Begin(name, address); wait > 0 {
		a.log.Warn("console: too many failed logins", "user", name, "address", address)
		seconds := int((wait + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		page.Failed = fmt.Sprintf("Too many attempts. Try again in %d seconds.", seconds)
		a.loginPage(w, r, http.StatusTooManyRequests, page)
		return
	}
	u, ok := a.passwords.Check(r.Context(), name, password)
	if !ok {
		a.log.Warn("console: a login failed", "user", name, "address", address)
		page.Failed = "User or password is wrong."
		a.loginPage(w, r, http.StatusUnauthorized, page)
		return
	}
	a.attempts.Succeeded(name, address)
	if err := a.begin(w, r, User{Name: u.name, Role: u.role, Via: ViaPassword}, u.proof()); err != nil {
		a.unknown(w, r, err)
		return
	}
	http.Redirect(w, r, page.Next, http.StatusSeeOther)
}

// logout ends the session, here and in every other process.
func (a *Access) logout(w http.ResponseWriter, r *http.Request) {
	a.end(r)
	http.SetCookie(w, a.cookie("", -1))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// addressOf returns the address of a request's sender; behind a trusted proxy, the one
// that the proxy names.
func (a *Access) addressOf(r *http.Request) netip.Addr {
	addr := remote(r)
	if !a.trusts(addr) {
		return addr
	}
	hops := strings.Split(r.Header.Get("X-Forwarded-For"), ",")
	if named, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1])); err == nil {
		return named.Unmap()
	}
	return addr
}

// remote returns the address that a request came from.
func remote(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// sentence makes an error a sentence.
func sentence(err error) string {
	text := err.Error()
	for _, known := range []error{errNobody, errToken, errNotProxy} {
		if errors.Is(err, known) {
			text = known.Error()
		}
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
