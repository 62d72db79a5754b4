// Package config is the configuration of the valetkey program: one struct,
// [Config], from which everything else is made.
//
// A setting has one name, the dotted path of its key in the YAML file
// (lifetimes.access_token), and two more spellings that follow from it: the
// environment variable VALETKEY_LIFETIMES_ACCESS_TOKEN and the flag
// --lifetimes-access-token. [Load] merges four layers, the later over the
// earlier: defaults, file, environment, flags. It remembers for each value
// where it came from, so that every complaint can say so.
//
// A secret is never given as a flag. Besides its own key it has one that ends
// in _file and names a file which holds it; that one has a flag.
//
// Mistakes are errors, not surprises: a key that does not exist is refused with
// its line and the nearest key that does, and [Loaded.Validate] refuses
// combinations that cannot be meant.
//
// docs/configuration.md and the file that "valetkey init" writes are printed
// from the same struct, so they cannot disagree with the program.
package config
