// Package notificationpages is the console's pages about notifications: the list of
// channels and rules with what became of the last notifications, and a form for each.
//
// The pages are rendered here; what is changed or tested goes from the browser to the API.
// A channel's URL is never on a page. Start reading at [New].
package notificationpages
