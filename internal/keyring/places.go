package keyring

// ClientSecretPlace is where the sealed secret of a client is kept that signs
// with it (client_secret_jwt): whoever makes a secret seals it for this place.
func ClientSecretPlace(secretID string) string { return "oauth_client_secrets|sealed|" + secretID }
