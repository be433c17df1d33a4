/* SPDX-License-Identifier: Apache-2.0 */
/* setup_sheets.c - the sheets: what a provider's administrator has to do, in its order.  Layer: client. */
#include "client/setup_sheets.h"

#include "client/setup.h"

#define SECRET (1u << SETUP_MS_APP | 1u << SETUP_MS_RBAC)
#define CERT (1u << SETUP_MS_APP_CERT | 1u << SETUP_MS_RBAC_CERT)
#define APP (1u << SETUP_MS_APP | 1u << SETUP_MS_APP_CERT)
#define RBAC (1u << SETUP_MS_RBAC | 1u << SETUP_MS_RBAC_CERT)
#define CODE (1u << SETUP_MS_CODE)
#define DEVICE (1u << SETUP_MS_DEVICE)
#define PEOPLE (CODE | DEVICE)
#define MS (APP | RBAC | PEOPLE)
#define G_CODE (1u << SETUP_GOOGLE_CODE)
#define G_SERVICE (1u << SETUP_GOOGLE_SERVICE)
#define G_PASSWORD (1u << SETUP_GOOGLE_PASSWORD)
#define SES (1u << SETUP_SES)
#define SMTP (1u << SETUP_SMTP)
#define OPEN (1u << SETUP_SMTP_OPEN)
#define STEP SETUP_STEP
#define FOREIGN SETUP_FOREIGN
#define USUAL SETUP_NOT_HVE
#define HVE (APP | SETUP_ONLY_HVE)
#define WORLD SETUP_WORLD
#define NATION SETUP_NATION
#define TENANT SETUP_TENANT_OWN
#define TENANTS SETUP_TENANT_NONE

/* clang-format off */
const struct setup_line setup_sheets[] = {
	{ MS, "Account {name}: what the administrator of Microsoft 365 does, in this order", "アカウント {name}: Microsoft 365 の管理者が行う作業 (この順序で)" },
	{ MS | TENANT | STEP, "Application. Entra admin center, App registrations, New registration: this tenant only.",
	  "アプリケーション。Entra 管理センターの [アプリの登録] > [新規登録]。この組織のテナントのみ。" },
	{ MS | TENANTS | STEP, "Application. Entra admin center, App registrations, New registration: for accounts of any organization. One for this tenant only goes with its ID as --tenant; with {tenant} it gives AADSTS50194.",
	  "アプリケーション。Entra 管理センターの [アプリの登録] > [新規登録]。任意の組織のアカウントを対象にします。自組織のテナント専用のアプリケーションでは --tenant にテナント ID を指定します ({tenant} では AADSTS50194 になります)。" },
	{ CODE, "Platform \"Mobile and desktop applications\", redirect URI http://localhost (the port is ignored, the path is not).",
	  "プラットフォームは「モバイル アプリケーションとデスクトップ アプリケーション」、リダイレクト URI は http://localhost (ポートは無視、パスは一致が必要)。" },
	{ DEVICE, "Authentication: \"Allow public client flows\" = Yes. Many tenants block the device code by Conditional Access: then use --grant authorization_code.",
	  "[認証] で「パブリック クライアント フローを許可する」を「はい」。条件付きアクセスでデバイス コードが禁止されている場合は --grant authorization_code を使います。" },
	{ MS, "Tenant {tenant}, application (client) ID {client_id}.", "テナント {tenant}、アプリケーション (クライアント) ID {client_id}。" },
	{ APP | USUAL | STEP, "Consent. API permissions, APIs my organization uses, Office 365 Exchange Online, Application permissions, SMTP.SendAsApp; then \"Grant admin consent\".",
	  "同意。[API のアクセス許可] > [所属する組織で使用している API] > Office 365 Exchange Online > [アプリケーションの許可] > SMTP.SendAsApp。続けて「管理者の同意を与えます」。" },
	{ APP | USUAL, "Microsoft Graph has no such permission: a token of Graph is of no use for SMTP.", "Microsoft Graph にはこの許可はありません。Graph のトークンは SMTP には使えません。" },
	{ HVE | STEP, "Consent. API permissions, APIs my organization uses, Office 365 Exchange Online, Application permissions, Mail.Send; then \"Grant admin consent\".",
	  "同意。[API のアクセス許可] > [所属する組織で使用している API] > Office 365 Exchange Online > [アプリケーションの許可] > Mail.Send。続けて「管理者の同意を与えます」。" },
	{ RBAC | STEP, "Consent. Give the application NO SMTP.SendAsApp: the claim would bring back the check of mailbox permissions.",
	  "同意。アプリケーションに SMTP.SendAsApp を与えないでください。与えるとメールボックス権限の確認が行われます。" },
	{ PEOPLE | STEP, "Consent. API permissions, Microsoft Graph, Delegated permissions: SMTP.Send and offline_access.",
	  "同意。[API のアクセス許可] > Microsoft Graph > [委任されたアクセス許可]: SMTP.Send と offline_access。" },
	{ CERT | STEP, "Credential. Certificates & secrets > Certificates > Upload certificate: the file {certificate} of this host (it is no secret), or the lines below in a file. Compare the thumbprint: {thumbprint}.",
	  "資格情報。[証明書とシークレット] > [証明書] > [証明書のアップロード]: このホストの {certificate} (秘密ではありません)、または次の各行を保存したファイル。拇印 (サムプリント) を確認します: {thumbprint}。" },
	{ CERT | SETUP_LINES, "", NULL },
	{ CERT, "The key stays on this host. Before the certificate ends, after two years: notifyctl cert renew {name}",
	  "秘密鍵はこのホストから出ません。証明書の期限 (2 年) の前に: notifyctl cert renew {name}" },
	{ SECRET | STEP, "Credential. Certificates & secrets, New client secret. Copy the Value (shown once), not the Secret ID; note its last day.",
	  "資格情報。[証明書とシークレット] > [新しいクライアント シークレット]。「値」(一度だけ表示) をコピーします。「シークレット ID」ではありません。有効期限も控えます。" },
	{ SECRET, "On this host, as root: notifyctl secret set {name}", "このホストで root として: notifyctl secret set {name}" },
	{ HVE | STEP, "Token. On this host: notifyctl account test {name}. A token proves application, tenant and credential, not yet the right to send.",
	  "トークン。このホストで: notifyctl account test {name}。トークンはアプリケーション、テナント、資格情報を証明しますが、送信の権利はまだ証明しません。" },
	{ APP | RBAC | USUAL | STEP, "Token. On this host: notifyctl account test {name}. A token proves application, tenant and credential, not yet the right to send; its line \"claims\" tells the object id that the next step needs.",
	  "トークン。このホストで: notifyctl account test {name}。トークンはアプリケーション、テナント、資格情報を証明しますが、送信の権利はまだ証明しません。claims の行の「object id」が次の手順のオブジェクト ID です。" },
	{ PEOPLE | STEP, "Sign-in. On this host: notifyctl account login {name}, as {user}.", "サインイン。このホストで: notifyctl account login {name} ({user} として)。" },
	{ PEOPLE, "Nobody signs in as a shared mailbox: if {user} is one, a person signs in who has rights on it, and notifyctl account login prints the lines that give them; user stays {user}.",
	  "共有メールボックスとしてはサインインできません。{user} が共有メールボックスなら、その権限を持つユーザーがサインインします (権限を与えるコマンドは notifyctl account login が表示します)。user は {user} のままです。" },
	{ MS | STEP, "Exchange. Exchange Online PowerShell:", "Exchange。Exchange Online PowerShell で:" },
	{ MS, "    Install-Module ExchangeOnlineManagement", NULL },
	{ MS | WORLD | TENANT, "    Connect-ExchangeOnline -Organization '{tenant}'", NULL },
	{ MS | WORLD | TENANTS, "    Connect-ExchangeOnline -Organization '<ID of the tenant of {user}>'", NULL },
	{ MS | NATION | TENANTS, "    # Connect-ExchangeOnline to the tenant of {user}, with the environment that Microsoft's manual names for this cloud: without it, it is the worldwide one", NULL },
	{ MS | NATION | TENANT, "    # Connect-ExchangeOnline to tenant {tenant}, with the environment that Microsoft's manual names for this cloud: without it, it is the worldwide one", NULL },
	{ HVE, "    # {user} is the High Volume Email account; it takes up to 10 applications", NULL },
	{ HVE, "    Add-HVEAppAccess -Identity '{user}' -AppIds '{client_id}'", NULL },
	{ APP | RBAC | USUAL, "    # Object ID under ENTERPRISE APPLICATIONS (the oid of the token, which the line claims tells); NOT the one on the overview of App registrations:", NULL },
	{ APP | RBAC | USUAL, "    # with the wrong one authentication fails (535 5.7.3), and only Remove- and New-ServicePrincipal mend it", NULL },
	{ APP | RBAC | USUAL, "    $oid = '<object id of the line claims>'", NULL },
	{ APP | RBAC | USUAL, "    New-ServicePrincipal -AppId '{client_id}' -ObjectId $oid -DisplayName 'notifyd'", NULL },
	{ APP | USUAL, "    Add-MailboxPermission -Identity '{user}' -User $oid -AccessRights FullAccess", NULL },
	{ RBAC, "    # a group with {user} in it; DN is its distinguished name", NULL },
	{ RBAC, "    New-ManagementScope -Name 'notifyd' -RecipientRestrictionFilter \"MemberOfGroup -eq '<DN of the group>'\"", NULL },
	{ RBAC, "    New-ManagementRoleAssignment -Role 'Application SMTP.SendAsApp' -App '{client_id}' -CustomResourceScope 'notifyd'", NULL },
	{ MS | FOREIGN | USUAL, "    # mails come from another address than the mailbox's own: without the right to send as that one 554 5.2.252 SendAsDenied", NULL },
	{ APP | RBAC | FOREIGN | USUAL, "    # Microsoft does not say whether it asks for the mailbox's right or the application's: both at once, for each change may take half an hour", NULL },
	{ MS | FOREIGN | USUAL, "    Add-RecipientPermission -Identity '{address}' -AccessRights SendAs -Trustee '{user}'", NULL },
	{ APP | RBAC | FOREIGN | USUAL, "    Add-RecipientPermission -Identity '{address}' -AccessRights SendAs -Trustee $oid", NULL },
	{ MS | USUAL, "    # SMTP AUTH must be on, with OAuth too (else 535 5.7.139). The mailbox's switch wins over the tenant's; $null inherits", NULL },
	{ MS | USUAL, "    Get-TransportConfig | Format-List SmtpClientAuthenticationDisabled", NULL },
	{ MS | USUAL, "    Set-CASMailbox -Identity '{user}' -SmtpClientAuthenticationDisabled $false", NULL },
	{ MS | USUAL, "    Get-CASMailbox -Identity '{user}' | Format-List SmtpClientAuthenticationDisabled", NULL },
	{ MS | USUAL, "    # for the whole tenant, if that is wanted: Set-TransportConfig -SmtpClientAuthenticationDisabled $false", NULL },
	{ MS | USUAL, "Security defaults of Entra ID switch SMTP AUTH off; tenants made after January 2020 have it off from the start.",
	  "Entra ID のセキュリティの既定値群は SMTP AUTH を無効にします。2020 年 1 月より後に作られたテナントでは最初から無効です。" },
	{ MS | USUAL, "The mailbox needs a licence. A shared mailbox of up to 50 GB is said to do without one; that is not confirmed, and only a real mail proves it.",
	  "メールボックスにはライセンスが必要です。共有メールボックスは 50 GB までならライセンスなしで使えると言われますが、未確認です。実際のメール送信でのみ確認できます。" },
	{ MS | USUAL | STEP, "Wait. A change of SMTP AUTH takes 5 to 10 minutes, one of permissions 15 to 30: until then 535 is no proof of a mistake.",
	  "待機。SMTP AUTH の変更は 5~10 分、権限の変更は 15~30 分かかります。それまでの 535 は設定の誤りとは限りません。" },
	{ HVE | STEP, "Wait. The access of an application takes up to 5 minutes: until then 550 5.7.240 is no proof of a mistake.",
	  "待機。アプリケーションの許可は反映まで最大 5 分かかります。それまでの 550 5.7.240 は設定の誤りとは限りません。" },
	{ MS | STEP, "Send. On this host: notifyctl setup --resume {name} (it tries every 5 minutes until a real mail went out).",
	  "送信。このホストで: notifyctl setup --resume {name} (実際のメールが送信されるまで 5 分ごとに試します)。" },
	{ MS, "Good to have:", "推奨事項:" },
	{ HVE, "- It takes internal recipients only, 50 of a message, messages up to 10 MB, and needs a billing policy.",
	  "- 宛先は組織内のみ、1 通につき 50 宛先、10 MB まで。課金ポリシーが必要です。" },
	{ HVE, "- Mails come from {user} itself: another sender is refused (5.7.62, 5.6.241).",
	  "- 差出人は {user} 自身に限ります。他の差出人は拒否されます (5.7.62、5.6.241)。" },
	{ MS | USUAL, "- Sent Items keeps every mail, and a full mailbox cannot send: set a retention policy on {user}.",
	  "- 送信済みアイテムにはすべてのメールが残り、満杯のメールボックスは送信できません。{user} に保持ポリシーを設定してください。" },
	{ MS | USUAL, "- Bounces come to {user}: a rule there forwards non-delivery reports to people.",
	  "- 配信不能通知は {user} に届きます。担当者へ転送するルールを作ってください。" },
	{ MS | USUAL, "- When no person opens that mailbox, its other protocols can be switched off; sending is not touched:",
	  "- 人が開かないメールボックスなら、他のプロトコルを無効にできます (送信には影響しません):" },
	{ MS | USUAL, "    Set-CASMailbox -Identity '{user}' -PopEnabled $false -ImapEnabled $false -MAPIEnabled $false -ActiveSyncEnabled $false -EwsEnabled $false -OWAEnabled $false", NULL },

	{ G_CODE | G_SERVICE | G_PASSWORD, "Account {name}: what has to be done at Google, in this order", "アカウント {name}: Google での作業 (この順序で)" },
	{ G_CODE | G_SERVICE | STEP, "Project. Google Cloud console: make or choose a project.", "プロジェクト。Google Cloud コンソールで作成または選択します。" },
	{ G_CODE | STEP, "Consent screen. Internal for Workspace. External in status \"Testing\" ends every sign-in after 7 days: publish it.",
	  "同意画面。Workspace では「内部」。「外部」で「テスト」状態のままではサインインが 7 日で失効します。公開してください。" },
	{ G_CODE, "Scope: https://mail.google.com/ (the only one for SMTP; a restricted one).", "スコープ: https://mail.google.com/ (SMTP にはこれのみ。制限付きスコープ)。" },
	{ G_CODE | STEP, "Client. Credentials, OAuth client ID, type \"Desktop app\": others cannot return to http://127.0.0.1. The device flow does not know this scope.",
	  "クライアント。[認証情報] > [OAuth クライアント ID]、種類は「デスクトップ アプリ」。他の種類は http://127.0.0.1 に戻れません。デバイス フローはこのスコープでは使えません。" },
	{ G_CODE | STEP, "Secret. On this host: notifyctl secret set {name} < client_secret_....json (the client JSON that the console gives to download, with ID and secret in it). Or notifyctl secret set {name} and the secret alone: then the settings need client_id. Google wants the secret even from desktop apps.",
	  "シークレット。このホストで: notifyctl secret set {name} < client_secret_....json (コンソールからダウンロードしたクライアントの JSON。ID とシークレットを含みます)。または notifyctl secret set {name} でシークレットのみ (設定に client_id が必要)。デスクトップ アプリでもシークレットは必要です。" },
	{ G_CODE | STEP, "Sign-in. On this host: notifyctl account login {name}, as {user}. A change of the password ends it, as do six months without use.",
	  "サインイン。このホストで: notifyctl account login {name} ({user} として)。パスワードの変更、または 6 か月の未使用で失効します。" },
	{ G_SERVICE | STEP, "Service account with a JSON key. Store the JSON on this host as " ND_SYSCONFDIR "/notifyd/credentials/{name}-key, mode 0600.",
	  "サービス アカウントと JSON キー。JSON をこのホストの " ND_SYSCONFDIR "/notifyd/credentials/{name}-key に置きます (モード 0600)。" },
	{ G_SERVICE | STEP, "Delegation. Workspace admin console, Security, API controls, Domain-wide delegation: the NUMERIC client ID of the service account, scope exactly https://mail.google.com/.",
	  "委任。Workspace 管理コンソールの [セキュリティ] > [API の制御] > [ドメイン全体の委任]: サービス アカウントの「数字の」クライアント ID、スコープは https://mail.google.com/ のみ。" },
	{ G_SERVICE, "Mails are sent as {user}, the mailbox that is impersonated; not as the service account.", "送信するのは委任されたメールボックス {user} です。サービス アカウントではありません。" },
	{ G_PASSWORD | STEP, "2-Step Verification must be on for {user}.", "{user} で 2 段階認証プロセスを有効にします。" },
	{ G_PASSWORD | STEP, "App password: make one (16 characters; its spaces do not count). A change of the account's password ends it.",
	  "アプリ パスワードを作成します (16 文字。空白は含みません)。アカウントのパスワードを変えると失効します。" },
	{ G_PASSWORD | STEP, "On this host: notifyctl secret set {name}", "このホストで: notifyctl secret set {name}" },
	{ G_CODE | G_SERVICE | G_PASSWORD | STEP, "Send. On this host: notifyctl setup --resume {name}", "送信。このホストで: notifyctl setup --resume {name}" },

	{ SES, "Account {name}: what has to be done at Amazon SES, in this order", "アカウント {name}: Amazon SES での作業 (この順序で)" },
	{ SES | STEP, "Identity. Verify the domain or the address of {from} in the region of {host}.", "ID。{host} のリージョンで {from} のドメインまたはアドレスを検証します。" },
	{ SES | STEP, "Sandbox. A new account is in it: 200 recipients a day, 1 a second, and recipients must be verified too. Ask for production access.",
	  "サンドボックス。新しいアカウントは 1 日 200 宛先、毎秒 1 宛先で、宛先も検証が必要です。本番アクセスを申請します。" },
	{ SES | STEP, "Credentials. Make SMTP credentials (SMTP settings) in that region: not an IAM secret key, not temporary ones; each region has its own.",
	  "資格情報。そのリージョンで SMTP 認証情報を作成します。IAM のシークレット キーや一時的な認証情報ではありません。リージョンごとに異なります。" },
	{ SES | STEP, "On this host: notifyctl secret set {name}", "このホストで: notifyctl secret set {name}" },
	{ SES, "Port 587 or 2587 with STARTTLS; EC2 throttles port 25.", "ポートは 587 または 2587 (STARTTLS)。EC2 ではポート 25 が制限されます。" },
	{ SES | STEP, "Send. On this host: notifyctl setup --resume {name}", "送信。このホストで: notifyctl setup --resume {name}" },

	{ SMTP | OPEN, "Account {name}: what is left to do", "アカウント {name}: 残りの作業" },
	{ OPEN | STEP, "The relay {host} must accept mails of {from} from this host's address, without a log-in.", "中継サーバー {host} が、このホストのアドレスからの {from} のメールをログインなしで受け付けること。" },
	{ SMTP | STEP, "The relay {host} must let {user} send as {from}.", "中継サーバー {host} で {user} が {from} として送信できること。" },
	{ SMTP | STEP, "On this host: notifyctl secret set {name}", "このホストで: notifyctl secret set {name}" },
	{ SMTP | OPEN | STEP, "Send. On this host: notifyctl setup --resume {name}", "送信。このホストで: notifyctl setup --resume {name}" },
	{ 0, NULL, NULL },
};
/* clang-format on */
