package clientkeys

// Remembered is how many sets are in memory.
func (k *Keys) Remembered() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.sets)
}
