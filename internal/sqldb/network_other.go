//go:build !linux

package sqldb

// networkFileSystem cannot tell here.
func networkFileSystem(string) string { return "" }
