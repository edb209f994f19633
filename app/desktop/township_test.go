package desktop

import (
	"context"
	"fmt"
	"testing"

	"fyne.io/fyne/v2"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/tasks"
	"ironfeet/app/desktop/present"
	"ironfeet/app/practice"
	"ironfeet/app/words"
	"ironfeet/store/world"
)

func TestATownshipsDesk(t *testing.T) {
	for _, size := range sizes[1:] {
		t.Run(fmt.Sprintf("%.0fx%.0f", size.Width, size.Height), func(t *testing.T) {
			dir := t.TempDir()
			c, err := practice.SetUp(context.Background(), world.Real(), dir, 24)
			require.NoError(t, err)
			ctx := context.Background()
			// Both tablets visit one household of the village they share.
			for _, folder := range []string{"tablet-a", "tablet-b"} {
				n := c.Nodes[folder]
				s := present.Start(n.Office, n.People[0].ID, n.People[0].Name, words.In("zh"))
				list, err := tasks.List(ctx, n.Office.Replica, c.Sample.Villages[2].Code, tasks.Open)
				require.NoError(t, err)
				for _, task := range list[:2] {
					v := fill(t, s, task, folder == "tablet-b")
					signOff(t, s, v)
				}
				_, err = n.Office.Client().Sync(ctx, nil)
				require.NoError(t, err)
			}
			_, err = c.Nodes["township"].Office.Client().Sync(ctx, nil)
			require.NoError(t, err)
			require.NoError(t, c.Close())

			h := open(t, folder(dir, "township"), size)
			h.unlock("乡镇专干（虚构）")
			h.sees("待审走访", "两队都走访了", "石桥村")
			h.picture("20-inbox")
			letters, err := h.app.session.Inbox(ctx)
			require.NoError(t, err)
			require.Len(t, letters, 4)
			h.app.keys[fyne.KeyReturn]()
			h.sees("这次走访", "现在登记", "全部答案", "已签名")
			h.picture("21-review")
			h.app.keys[fyne.KeyR]()
			h.sees("写清楚要补什么")
			h.picture("22-return")
			h.tap("退回")
			h.sees("必须写明原因") // without a reason nothing is returned
			for h.app.win.Canvas().Overlays().Top() != nil {
				h.app.win.Canvas().Overlays().Remove(h.app.win.Canvas().Overlays().Top())
			}
			for range letters {
				h.app.keys[fyne.KeyA]()
			}
			h.sees("没有待审的走访", "处理矛盾")
			h.tap("处理矛盾")
			h.sees("联系电话")
			h.picture("23-conflicts")
			disputes, err := h.app.session.Disputes(ctx)
			require.NoError(t, err)
			for range disputes {
				h.tap("19922")
			}
			h.sees("没有矛盾")
		})
	}
}
