package sqlstore

// Apart is the text of a statement of Purge as the store's database gets it.
func (s *Store) Apart(text string) string { return s.apart(text) }
