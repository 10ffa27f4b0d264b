// Package fleetpages is the pages of the fleet and of its integrations: "/" and those below
// /admin/settings/integrations.
//
// It shows what package view has, and changes nothing: the scripts of its pages send
// changes to /api/v1. Start at New.
package fleetpages
