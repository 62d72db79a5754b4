package cli

import "github.com/spf13/cobra"

// scopeJSON is a scope as the commands print it.
type scopeJSON struct {
	Name        string `json:"name"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Group       string `json:"group"`
	Internal    bool   `json:"internal"`
	Sensitive   bool   `json:"sensitive"`
}

func newScope(env *Env) *cobra.Command {
	var out output
	cmd := &cobra.Command{Use: "list", Short: "List the scopes, internal ones too", Args: args()}
	out.flag(cmd)
	s := beside(env, cmd)
	cmd.RunE = s.with(out.check, func(cmd *cobra.Command, h *house, _ []string) error {
		items, rows := []scopeJSON{}, [][]string{}
		for _, sc := range h.server.Desk().Scopes().All() {
			items = append(items, scopeJSON{sc.Name, sc.Title, sc.Description, sc.Group, sc.Internal, sc.Sensitive})
			rows = append(rows, []string{sc.Name, sc.Group, yesNo(sc.Internal), sc.Description})
		}
		return out.list(env, items, []string{"SCOPE", "GROUP", "INTERNAL", "DESCRIPTION"}, rows)
	})
	return group(&cobra.Command{Use: "scope", Aliases: []string{"scopes"}, Short: "What clients may ask for"}, cmd)
}
