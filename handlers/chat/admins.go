package chat

import (
	"context"
	"errors"
	"strings"

	"wechat-broadcast/models"
	"wechat-broadcast/services/followers"
)

// roleWords are what the roles can be written as.
var roleWords = map[string]models.Role{
	"viewer": models.Viewer, "查看": models.Viewer, "查看者": models.Viewer,
	"editor": models.Editor, "编辑": models.Editor, "编辑者": models.Editor,
	"sender": models.Sender, "发送": models.Sender, "发送者": models.Sender,
	"owner": models.Owner, "所有者": models.Owner,
}

// roleNamed returns the role that somebody wrote, if it can be given.
func roleNamed(word string) (models.Role, error) {
	role := roleWords[strings.Map(fold, word)]
	switch role {
	case "":
		return "", models.NewError(models.Invalid, models.ErrRoleUnknown)
	case models.Owner:
		return "", models.NewError(models.Invalid, models.ErrRoleOwner)
	case models.Viewer, models.Editor, models.Sender:
	}
	return role, nil
}

// admins shows who may do what, with whole OpenIDs.
func (c *Chat) admins(ctx context.Context, _ request) (string, error) {
	all, names, err := c.namedAdmins(ctx)
	if err != nil {
		return "", err
	}
	items := make([]string, len(all))
	for i, a := range all {
		items[i] = c.say("admins.item", vars{
			"Who": person(a.OpenID, names[a.OpenID]), "Role": c.roleWord(a.Role), "Since": since(a.AddedAt),
		})
	}
	head := c.say("admins.head", vars{"Count": int64(len(all)), "Add": c.write(AdminsAdd, "")})
	return fitList(head, items, c.more), nil
}

// namedAdmins returns all admins, and the names that people were given, by OpenID.
func (c *Chat) namedAdmins(ctx context.Context) ([]models.Admin, map[string]string, error) {
	all, err := c.config.Roles.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	names, err := c.config.Followers.Names(ctx)
	return all, names, err
}

func (c *Composer) roleWord(role models.Role) string { return c.say("role."+string(role), nil) }

// roleText tells an admin what they may do, and how to see it.
func (c *Composer) roleText(role models.Role) string {
	return c.say("admins.welcome", vars{
		"Role": c.roleWord(role), "May": c.say("admins.may."+string(role), nil), "Help": c.write(Help, ""),
	})
}

// addAdmin gives a follower a role, or another one.
func (c *Chat) addAdmin(ctx context.Context, r request) (string, error) {
	role, roleErr := roleNamed(r.Arg)
	openID, err := c.meant(ctx, r.OpenID)
	if err == nil && c.config.Roles.RoleOf(ctx, openID) == models.Owner {
		err = models.NewError(models.Conflict, models.ErrAdminIsOwner, "OpenID", openID)
	}
	if err := errors.Join(err, roleErr); err != nil {
		return "", err
	}
	r.concerns(openID)
	if err := c.config.Followers.MustFollow(ctx, openID); err != nil {
		return "", err
	}
	was, err := c.config.Roles.Add(ctx, openID, role, r.from)
	if err != nil {
		return "", err
	}
	v := vars{"OpenID": openID, "Role": c.roleWord(role), "Was": ""}
	switch was {
	case role:
		return c.say("admins.already", v), nil
	case "":
	default:
		v["Was"] = c.roleWord(was)
	}
	c.config.Notices.SendRole(ctx, openID, c.roleText(role))
	return c.say("admins.added", v), nil
}

// meant returns the OpenID of the person that an admin means.
func (c *Chat) meant(ctx context.Context, text string) (string, error) {
	if models.LikeOpenID(text) {
		return text, nil
	}
	r, err := c.config.Followers.Find(ctx, text)
	if err != nil {
		return "", err
	}
	return r.OpenID, nil
}

// removeAdmin takes a role away.
func (c *Chat) removeAdmin(ctx context.Context, r request) (string, error) {
	all, names, err := c.namedAdmins(ctx)
	if err != nil {
		return "", err
	}
	openID := r.OpenID // whoever is no admin is an error of Remove
	var found []string
	for _, a := range all {
		if followers.Means(r.OpenID, a.OpenID, names[a.OpenID]) {
			openID, found = a.OpenID, append(found, person(a.OpenID, names[a.OpenID]))
		}
	}
	if len(found) > 1 {
		return "", models.NewError(models.Conflict, models.ErrPersonAmbiguous, "People", found)
	}
	r.concerns(openID)
	was, err := c.config.Roles.Remove(ctx, openID)
	if err != nil {
		return "", err
	}
	return c.say("admins.removed", vars{"OpenID": openID, "Was": c.roleWord(was)}), nil
}
