package pages_test

// accountsSamples are the pages of the accounts room.
var accountsSamples = []sample{}
