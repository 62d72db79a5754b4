package pages_test

// adminSamples are the pages of the administration.
var adminSamples = []sample{}
