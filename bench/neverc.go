package main

import "github.com/valetkey/valetkey"

// neverCached makes a server ask the database every time.
func neverCached(c *valetkey.Config) {}
