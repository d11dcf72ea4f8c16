package e2e

import (
	"strings"
	"testing"
)

// commanded is one run of the program on the terminal and what comes of it.
type commanded struct {
	args string
	code int
	// out and faults are parts of what is written to standard output and to the error output.
	out, faults []string
}

// commands runs the commands; a refused one changes no list.
func (c *conversation) commands(rows []commanded) {
	c.t.Helper()
	for _, r := range rows {
		before := c.platform.say(admin, "lists")
		code, out, faults := c.runs("", strings.Fields(r.args)...)
		if code != r.code {
			c.t.Errorf("%q ends with code %d, want %d:\n%s%s", r.args, code, r.code, out, faults)
		}
		has(c.t, "the output of "+r.args, out, r.out...)
		has(c.t, "the faults of "+r.args, faults, r.faults...)
		if r.code != 0 && out != "" {
			c.t.Errorf("%q failed and wrote %q to standard output", r.args, out)
		}
		dry := strings.Contains(r.args, "--dry-run")
		if after := c.platform.say(admin, "lists"); (r.code != 0 || dry) && after != before {
			c.t.Errorf("%q changed the lists. Before:\n%s\nafter:\n%s", r.args, before, after)
		}
	}
}

// listFiles are the files that the commands read.
func (c *conversation) listFiles() {
	c.t.Helper()
	c.writes(c.t, "good.csv", "openid,name,due\n"+follower+",May,friday\n"+viewer+",Ann,monday\noNobody00000000000000000000,Bob,sunday\n")
	c.writes(c.t, "bad.csv", "openid,name\n"+follower+",May,x\nno,Ann\n"+viewer+",Ann\n"+viewer+",Ann\n")
	c.writes(c.t, "cut.csv", "openid,name\n"+follower+",\"May\n")
	c.writes(c.t, "columns.csv", "openid,date,name,name\n"+follower+",1,2,3\n")
	c.writes(c.t, "plain.txt", follower+"\n"+viewer+"\n")
	c.writes(c.t, "empty.csv", "openid,name\n")
}

func TestListsOnTheCommandLine(t *testing.T) {
	inBoth(t, func(t *testing.T, language string) {
		c := converseAs(t, language, nil)
		c.listFiles()
		c.commands(map[string][]commanded{"en": listsEnglish, "zh": listsChinese}[language])
		c.platform.say(admin, "topics add lectures")
		c.platform.say(follower, "join lectures")
		c.platform.say(follower, "stop")
		c.platform.scans("oScanned00000000000000000N", "join lectures")
		c.commands([]commanded{{args: "export consents", out: []string{
			"openid,topic,joined,at,via,text\n" + follower + ",lectures,true,20", ",text,join lectures\n",
			follower + ",,false,20", ",text,stop\n", "oScanned00000000000000000N,lectures,true,20", ",scan,join lectures\n",
		}}})
	})
}

// exported is the list that good.csv makes.
const exported = "openid,name,due\n" + follower + ",May,friday\n" + viewer + ",Ann,monday\noNobody00000000000000000000,Bob,sunday\n"

var listsEnglish = []commanded{
	{args: "import", code: 2, faults: []string{"<file> is missing"}},
	{args: "import good.csv --list", code: 2, faults: []string{"--list"}},
	{args: "import good.csv --dry-run", out: []string{"2 were known", "Fields: name, due"}},
	{args: "import --list readers", code: 2, faults: []string{"<file> is missing"}},
	{args: "import good.csv --list a,b", code: 1, faults: []string{"“a,b”", "without commas"}},
	{args: "import gone.csv --list readers", code: 1, faults: []string{"can't read gone.csv"}},
	{args: "import good.csv --list readers --dry-run", out: []string{"nothing was changed", "3 people", "Fields: name, due", "2 follow", "1 unknown"}},
	{args: "export lists --list readers", code: 1, faults: []string{"no list “readers”"}},
	{args: "import good.csv --list readers", out: []string{"readers has 3 people now", "2 follow", "1 unknown"}},
	{args: "export lists --list readers", out: []string{exported}},
	{args: "import bad.csv --list readers", code: 1, faults: []string{"3 lines have faults", "line 2: 3 columns", "line 3: “no” is no OpenID", "line 5: the same person as in line 4", "--skip-bad"}},
	{args: "import bad.csv --list readers --skip-bad --dry-run", out: []string{"would have 1 person", "3 lines were left out", "line 3"}},
	{args: "import cut.csv --list readers --skip-bad", code: 1, faults: []string{"line 2", "never closed"}},
	{args: "import columns.csv --list readers", code: 1, faults: []string{"“date”", "two columns are called “name”"}},
	{args: "import empty.csv --list readers", code: 1, faults: []string{"no OpenID in the file"}},
	{args: "export lists --list readers", out: []string{exported}},
	{args: "import bad.csv --list readers --skip-bad", out: []string{"readers has 1 person now", "3 lines were left out"}},
	{args: "import plain.txt --list plain", out: []string{"plain has 2 people now", "2 follow"}},
	{args: "export lists", code: 2, faults: []string{"--list=NAME is missing"}},
	{args: "export nothing", code: 2, faults: []string{"nothing"}},
	{args: "import --help", out: []string{"Usage: wechat-broadcast import", "Arguments:", "--skip-bad", "--dry-run"}},
	{args: "export --help", out: []string{"export consents", "export lists"}},
}

var listsChinese = []commanded{
	{args: "import", code: 2, faults: []string{"缺少 <file>"}},
	{args: "import good.csv --list", code: 2, faults: []string{"--list"}},
	{args: "import good.csv --dry-run", out: []string{"原已关注 2", "字段：name、due"}},
	{args: "import --list 读者", code: 2, faults: []string{"缺少 <file>"}},
	{args: "import good.csv --list 甲、乙", code: 1, faults: []string{"「甲、乙」", "不含逗号"}},
	{args: "import gone.csv --list 读者", code: 1, faults: []string{"无法读取 gone.csv", "请检查"}},
	{args: "import good.csv --list 读者 --dry-run", out: []string{"没有改动", "会有 3 人", "字段：name、due", "可以发送 2", "未知"}},
	{args: "export lists --list 读者", code: 1, faults: []string{"没有名为「读者」的名单"}},
	{args: "import good.csv --list 读者", out: []string{"名单「读者」现在有 3 人", "可以发送 2", "未知"}},
	{args: "export lists --list 读者", out: []string{exported}},
	{args: "import bad.csv --list 读者", code: 1, faults: []string{"3 行有问题", "第 2 行：有 3 列", "第 3 行：「no」不是 OpenID", "第 5 行：与第 4 行是同一个人", "--skip-bad"}},
	{args: "import bad.csv --list 读者 --skip-bad --dry-run", out: []string{"会有 1 人", "略过 3 行", "第 3 行"}},
	{args: "import cut.csv --list 读者 --skip-bad", code: 1, faults: []string{"第 2 行", "没有结束"}},
	{args: "import columns.csv --list 读者", code: 1, faults: []string{"「date」", "两列都叫「name」"}},
	{args: "import empty.csv --list 读者", code: 1, faults: []string{"文件里没有 OpenID"}},
	{args: "export lists --list 读者", out: []string{exported}},
	{args: "import bad.csv --list 读者 --skip-bad", out: []string{"名单「读者」现在有 1 人", "略过 3 行"}},
	{args: "import plain.txt --list 纯文本", out: []string{"名单「纯文本」现在有 2 人"}},
	{args: "export lists", code: 2, faults: []string{"缺少 --list=NAME"}},
	{args: "export nothing", code: 2, faults: []string{"nothing"}},
	{args: "import --help", out: []string{"用法：wechat-broadcast import", "参数：", "略过有问题的行"}},
	{args: "export --help", out: []string{"export consents", "一份名单"}},
}
