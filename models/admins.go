package models

import "slices"

// Role is what an admin may do, each with what the one before may. The zero Role is
// that of everybody else.
type Role string

// The roles.
const (
	Viewer Role = "viewer" // sees
	Editor Role = "editor" // writes messages, and sends to themselves and the test list
	Sender Role = "sender" // sends to everybody
	Owner  Role = "owner"  // says who may do what; those in the settings, and nobody else
)

// Roles are all of them, each with what the one before may do.
var Roles = []Role{Viewer, Editor, Sender, Owner}

// May tells whether somebody with the role r may do what takes another one; what takes
// none, everybody may.
func (r Role) May(takes Role) bool { return slices.Index(Roles, r) >= slices.Index(Roles, takes) }
