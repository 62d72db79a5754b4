// Package pages draws every HTML page of Valetkey.
//
// A page is a Go struct with a method Template, which names its file below
// templates/, and a method Title. All files are parsed in [New], together with
// the layout and the partials, so a broken template stops the server from
// starting and not a request from being answered.
//
// # The layout
//
// templates/layout.html is made of the blocks head, header, nav, content and
// footer. Their names are a promise to those who replace files. A page's own
// file defines content, and may define head to add to it. Inside, a template
// sees the [View]: the page is .Page, the person .User, and so on.
//
// # Replacing files
//
// Config.Overlay is laid over the built-in files one by one: a file consent.html
// in it replaces templates/consent.html; assets/app.css replaces the style
// sheet; assets/theme.css, which does not exist otherwise, is linked after it
// and is the place to set other colours; assets/logo.svg is the logo.
//
// # Rules for a template
//
// Header and navigation hold links only. On a page whose point is a form, that
// form is the first in the document and its main button comes first. Every
// button says its type. There is no inline script or style, and everything
// works without scripts. Links are written {{path "/account/…"}} so that they
// follow the issuer's path. What a client or a person typed is written with
// {{bdi …}}, which cleans and isolates it. Every form holds {{jwt $}}.
//
// A form is drawn from a [Form]: {{template "summary" .Page.Form}} first, then
// {{template "field" (field .Page.Form "name" "label" "Name" "required" true)}}
// for each input; see [Form.Field] for the words.
//
// # Tests
//
// Every page is drawn in the tests, full and empty, and compared with its
// golden file; go test ./internal/pages -update writes them anew.
package pages
