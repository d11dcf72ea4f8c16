package followers_test

import (
	"fmt"
	"slices"
	"testing"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// A search finds each person once, page by page.
func TestSearch(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		for i := range 25 {
			err := h.store.ChangeRecipient(ctx, modelstest.OpenID(i), func(r *models.Recipient) {
				r.Subscribed = true
				switch i {
				case 3:
					r.Name = "小林 oTest"
				case 4:
					r.Remark = "林老师 100%"
				case 5:
					r.Remark = "oTest"
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		find := func(text string) (all []string, pages int) {
			t.Helper()
			for cursor := ""; ; {
				found, err := h.Search(ctx, text, cursor, 10)
				if err != nil || found.Unread {
					t.Fatal(found, err)
				}
				for _, r := range found.People {
					all = append(all, r.OpenID)
				}
				if pages++; found.Next == "" {
					return all, pages
				}
				cursor = found.Next
			}
		}
		for text, want := range map[string][]string{
			"林": {modelstest.OpenID(3), modelstest.OpenID(4)}, "100%": {modelstest.OpenID(4)}, "1%": nil, "": nil, "OTEST小": nil,
			modelstest.OpenID(7): {modelstest.OpenID(7)}, " " + modelstest.OpenID(7)[:27] + " ": nil, "nobody": nil, "ｏＴｅｓｔ": nil,
			"oTes_": nil, "otest": {modelstest.OpenID(3), modelstest.OpenID(5)},
		} {
			got, _ := find(text)
			switch text {
			case "ｏＴｅｓｔ":
				if len(got) != 25 {
					t.Errorf("%q finds %d", text, len(got))
				}
			case " " + modelstest.OpenID(7)[:27] + " ":
				for i := range 10 {
					want = append(want, modelstest.OpenID(i))
				}
				fallthrough
			default:
				if slices.Sort(got); !slices.Equal(got, want) {
					t.Errorf("%q finds %v, want %v", text, got, want)
				}
			}
		}
		got, pages := find("oTest")
		if seen := len(slices.Compact(slices.Sorted(slices.Values(got)))); len(got) != 25 || seen != 25 || pages != 3 {
			t.Errorf("%d pages have %d people, %d of them once: %s", pages, len(got), seen, fmt.Sprint(got))
		}
		if got[0] != modelstest.OpenID(3) {
			t.Errorf("a name comes after %s", got[0])
		}
		for _, cursor := range []string{"x", "r", "r-5", "o'", "ozzz", "\x00"} {
			if _, err := h.Search(ctx, "oTest", cursor, 10); err != nil {
				t.Errorf("%q: %v", cursor, err)
			}
		}
	})
}
