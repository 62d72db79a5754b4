// Package scale keeps docs/scale.md true to its own inputs: the page begins with
// two tables of figures, each with its source, and its other tables are computed
// from them here.
//
//	go test ./internal/scale -update
//
// writes them anew after an input was changed on the page; without -update the
// test fails when they differ. model.go is the arithmetic, page.go the page.
package scale
