package respond

import (
	"net/http"
	"slices"

	"github.com/valetkey/valetkey/oauth"
)

// Entry is what there is to say about one error code.
type Entry struct {
	Code      oauth.ErrorCode
	Status    int    // HTTP status where the error is the answer itself, not part of a redirect
	User      string // to the person in front of the browser
	Developer string // what is wrong
	Fix       string // how to make it right
	Spec      string // where it is defined
}

const (
	blameless = "You did nothing wrong. Go back to the application and try again, or tell its developer."
	signIn    = "The application asked for an answer without showing you a page, and that was not possible."
)

var catalogue = []Entry{
	{oauth.InvalidRequest, http.StatusBadRequest,
		"The application sent a request that this server cannot accept. " + blameless,
		"A required parameter is missing, a parameter is repeated or malformed, or a value is not allowed.",
		"Compare the request with the endpoint's parameters; each may appear once, and redirect URIs are compared character by character.",
		"RFC 6749 §4.1.2.1, §5.2"},
	{oauth.InvalidClient, http.StatusUnauthorized,
		"The application could not prove which one it is. " + blameless,
		"The client is unknown, its secret is wrong or expired, or it used another authentication method than the one it is registered for.",
		"Check client_id and secret, and send them the way the application is registered: HTTP Basic, form body, or no secret for a public client.",
		"RFC 6749 §5.2"},
	{oauth.InvalidGrant, http.StatusBadRequest,
		"The permission this application holds is no longer valid. Sign in to it again.",
		"The code or refresh token is unknown, expired, used, revoked, or was issued to another client or for another redirect URI; or the password is wrong.",
		"Start a new authorization request. Use each code once, within its lifetime, with the redirect_uri and code_verifier of its own request.",
		"RFC 6749 §5.2"},
	{oauth.UnauthorizedClient, http.StatusBadRequest,
		"The application asked for something it is not registered for. " + blameless,
		"The client is not registered for this grant type or response type, or the server does not offer it.",
		"Add the grant type to the application's registration, or use one it has.",
		"RFC 6749 §4.1.2.1, §5.2"},
	{oauth.UnsupportedGrantType, http.StatusBadRequest,
		"The application asked for something this server does not know. " + blameless,
		"The grant_type is not one this server knows.",
		"Use a grant type from grant_types_supported in the server's metadata.",
		"RFC 6749 §5.2"},
	{oauth.UnsupportedResponseType, http.StatusBadRequest,
		"The application asked for something this server does not offer. " + blameless,
		"The response_type is not one this server offers.",
		"Use response_type=code.",
		"RFC 6749 §4.1.2.1"},
	{oauth.InvalidScope, http.StatusBadRequest,
		"The application asked for a permission that does not exist or that it may not have. " + blameless,
		"A scope is unknown or malformed, or is more than the client or the original grant may have.",
		"Ask for scopes of scopes_supported that the application is registered for; a refresh may only narrow them.",
		"RFC 6749 §3.3, §5.2"},
	{oauth.AccessDenied, http.StatusForbidden,
		"The application was not given access.",
		"The person, or the server, refused the request.",
		"Nothing to fix: respect the answer, and offer a way to try again.",
		"RFC 6749 §4.1.2.1"},
	{oauth.ServerError, http.StatusInternalServerError,
		"Something went wrong on this server. Try again in a moment.",
		"The server met a condition it did not expect. Its log says more under the request id.",
		"Try again; if it happens again, tell the server's operator the request id.",
		"RFC 6749 §4.1.2.1"},
	{oauth.TemporarilyUnavailable, http.StatusServiceUnavailable,
		"This server is busy or being looked after. Try again in a moment.",
		"The server cannot do this now: it is overloaded, or its database does not answer.",
		"Wait as long as Retry-After says and send the same request again.",
		"RFC 6749 §4.1.2.1, RFC 7009 §2.2.1"},
	{oauth.UnsupportedTokenType, http.StatusBadRequest,
		"The application asked for something this server does not offer. " + blameless,
		"Tokens of this type cannot be revoked here.",
		"Send an access token or a refresh token.",
		"RFC 7009 §2.2.1"},
	{oauth.InvalidToken, http.StatusUnauthorized,
		"The application's access has ended. Sign in to it again.",
		"The access token is malformed, unknown, expired or revoked.",
		"Get a new access token by refresh or by a new authorization request.",
		"RFC 6750 §3.1"},
	{oauth.InsufficientScope, http.StatusForbidden,
		"The application does not have the permission for this.",
		"The access token lacks a scope that this resource requires.",
		"Ask for the scope named in the WWW-Authenticate header.",
		"RFC 6750 §3.1"},
	{oauth.LoginRequired, http.StatusBadRequest, signIn,
		"prompt=none was sent and nobody is signed in, or not recently enough.",
		"Send the request again without prompt=none.",
		"OpenID Connect Core §3.1.2.6"},
	{oauth.ConsentRequired, http.StatusBadRequest, signIn,
		"prompt=none was sent and the person has not allowed this yet.",
		"Send the request again without prompt=none.",
		"OpenID Connect Core §3.1.2.6"},
	{oauth.InteractionRequired, http.StatusBadRequest, signIn,
		"prompt=none was sent and the person would have to be shown a page.",
		"Send the request again without prompt=none.",
		"OpenID Connect Core §3.1.2.6"},
	{oauth.AccountSelectionRequired, http.StatusBadRequest, signIn,
		"prompt=none was sent and the person would have to choose an account.",
		"Send the request again without prompt=none.",
		"OpenID Connect Core §3.1.2.6"},
	{oauth.UnmetAuthenticationRequirements, http.StatusBadRequest,
		"The application asked for a way of signing in that was not possible.",
		"An acr that the request calls essential could not be reached.",
		"Ask for an acr of acr_values_supported, or for none.",
		"OpenID Connect Core Error Code unmet_authentication_requirements 1.0"},
	{oauth.RequestNotSupported, http.StatusBadRequest,
		"The application sent a request that this server cannot accept. " + blameless,
		"Request objects are not supported.",
		"Send the parameters themselves instead of the request parameter.",
		"OpenID Connect Core §3.1.2.6, RFC 9101 §7"},
	{oauth.RequestURINotSupported, http.StatusBadRequest,
		"The application sent a request that this server cannot accept. " + blameless,
		"Requests by reference are not supported.",
		"Send the parameters themselves instead of the request_uri parameter.",
		"OpenID Connect Core §3.1.2.6, RFC 9101 §7"},
	{oauth.InvalidRequestURI, http.StatusBadRequest,
		"The application sent a request that this server cannot accept. " + blameless,
		"The request_uri is unknown, expired, used, another client's, not registered, or what it leads to could not be fetched.",
		"Push the request anew and use the request_uri at once; register the URIs of request objects.",
		"OpenID Connect Core §3.1.2.6, RFC 9126 §4, RFC 9101 §7"},
	{oauth.InvalidRequestObject, http.StatusBadRequest,
		"The application sent a request that this server cannot accept. " + blameless,
		"The request object is not a JWT that the client signed with a registered key and algorithm, or its parameters are not right.",
		"Sign the request object with the client's own key, with client_id inside and the issuer as its audience, and let it not be expired.",
		"OpenID Connect Core §3.1.2.6, RFC 9101 §7"},
	{oauth.RegistrationNotSupported, http.StatusBadRequest,
		"The application sent a request that this server cannot accept. " + blameless,
		"The registration parameter is not supported.",
		"Register the client beforehand and leave the parameter out.",
		"OpenID Connect Core §3.1.2.6, §7.2.1"},
	{oauth.InvalidTarget, http.StatusBadRequest,
		"The application asked for access to a service that this server does not know. " + blameless,
		"A value of resource is malformed, not known to this server, or more than was authorized.",
		"Use the absolute URI of a protected resource that the server lists, without a fragment; the token request may only narrow what was authorized.",
		"RFC 8707 §2"},
	{oauth.InvalidRedirectURI, http.StatusBadRequest,
		"The application could not be registered. " + blameless,
		"A redirect URI of the registration is not allowed.",
		"Use https, or http on a loopback address for a native application, without a fragment.",
		"RFC 7591 §3.2.2"},
	{oauth.InvalidClientMetadata, http.StatusBadRequest,
		"The application could not be registered. " + blameless,
		"A member of the registration is malformed, not allowed, or contradicts another.",
		"Change the member that error_description names.",
		"RFC 7591 §3.2.2"},
	{oauth.InvalidSoftwareStatement, http.StatusBadRequest,
		"The application could not be registered. " + blameless,
		"The software statement comes from nobody this server trusts.",
		"Leave software_statement out.",
		"RFC 7591 §3.2.2"},
	{oauth.AuthorizationPending, http.StatusBadRequest,
		"The device waits for you to confirm it.",
		"Nobody has allowed or refused the device's request yet.",
		"Ask again after the interval.",
		"RFC 8628 §3.5"},
	{oauth.ExpiredToken, http.StatusBadRequest,
		"The code of the device has expired. Get a new one on your device.",
		"The device code has expired before anybody confirmed it.",
		"Start a new device authorization request.",
		"RFC 8628 §3.5"},
	{oauth.SlowDown, http.StatusBadRequest,
		"There were too many attempts. Wait a minute and try again.",
		"A device polls more often than its interval allows; or too many failed attempts came from this network in a short time, and then the status is 429.",
		"Wait five seconds longer between polls from now on, or as long as Retry-After says.",
		"RFC 8628 §3.5, RFC 6585 §4"},
}

// Catalogue returns every entry.
func Catalogue() []Entry { return slices.Clone(catalogue) }

// Lookup returns the entry of a code; for a code that is not in the catalogue,
// that of server_error.
func Lookup(code oauth.ErrorCode) Entry {
	for _, e := range catalogue {
		if e.Code == code {
			return e
		}
	}
	return Lookup(oauth.ServerError)
}

// Status is the HTTP status of a code.
func Status(code oauth.ErrorCode) int { return Lookup(code).Status }
