// Package page is what all pages of the console share: the layout, the styles, the
// scripts, the rendering of templates, static files, and the pages for login and errors.
//
// It knows no integrations and no events, and decides nothing about access: it shows the
// user that it is told. A package of pages hands it a Content. Start reading at
// Renderer.
package page
