package access

import (
	"net/http"
	"slices"
	"strings"
	"unicode"
)

// Proxy is a reverse proxy that logs users in and names them in headers, such as
// oauth2-proxy. Only requests from Config.Proxies count.
type Proxy struct {
	UserHeader   string // has the user's name
	GroupsHeader string // has the user's groups, with commas between
	AdminGroup   string // whose members are admins; empty: all users are viewers
}

// identify returns the user that the proxy names.
func (p *Proxy) identify(r *http.Request) (User, error) {
	names := r.Header.Values(p.UserHeader)
	if len(names) != 1 {
		return User{}, errNotProxy
	}
	name := strings.TrimSpace(names[0])
	if name == "" || len(name) > mostUserName || strings.ContainsFunc(name, unicode.IsControl) {
		return User{}, errNotProxy
	}
	var groups []string
	for _, list := range r.Header.Values(p.GroupsHeader) {
		for group := range strings.SplitSeq(list, ",") {
			groups = append(groups, strings.TrimSpace(group))
		}
	}
	return User{Name: name, Role: roleOf(groups, p.AdminGroup), Via: ViaProxy}, nil
}

// roleOf returns the role of a member of groups.
func roleOf(groups []string, admins string) Role {
	if admins != "" && slices.Contains(groups, admins) {
		return RoleAdmin
	}
	return RoleViewer
}
