package access

import (
	"context"
	"net/http"
)

// Role is what a user may do.
type Role string

// Roles. An admin may do what a viewer may.
const (
	RoleViewer Role = "viewer" // everything but changes
	RoleAdmin  Role = "admin"
)

// Valid reports whether the role is known.
func (r Role) Valid() bool { return r == RoleViewer || r == RoleAdmin }

// May reports whether the role includes another.
func (r Role) May(other Role) bool { return r == other && r.Valid() || r == RoleAdmin }

// Ways to get in, of User.Via.
const (
	ViaLoopback = "loopback"
	ViaPassword = "password"
	ViaOIDC     = "oidc"
	ViaProxy    = "proxy"
	ViaToken    = "token"
)

// User is who sends a request.
type User struct {
	Name string
	Role Role
	Via  string // how the user got in
}

// visit is what Wrap knows of a request.
type visit struct {
	user   User
	access *Access
}

type visitKey struct{}

// From returns the user of a request that Wrap let through; the zero User, who has no
// role, of any other.
func From(ctx context.Context) User { return visitOf(ctx).user }

// WithUser returns a context of a user, for tests of handlers.
func WithUser(ctx context.Context, u User) context.Context {
	return context.WithValue(ctx, visitKey{}, visit{user: u})
}

func visitOf(ctx context.Context) visit {
	v, _ := ctx.Value(visitKey{}).(visit)
	return v
}

// Require lets only users with the role reach the handler. Others get 403, as a page or a
// problem document.
func Require(role Role, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := visitOf(r.Context())
		if v.user.Role.May(role) {
			h.ServeHTTP(w, r)
			return
		}
		v.access.Refuse(w, r, Refusal{
			Status: http.StatusForbidden, Title: "Not allowed",
			Cause:  "this needs the role " + string(role) + "; " + v.user.named(),
			Remedy: "ask an admin of this console",
		})
	})
}

func (u User) named() string {
	if u.Name == "" {
		return "nobody is logged in"
	}
	return u.Name + " has the role " + string(u.Role)
}
