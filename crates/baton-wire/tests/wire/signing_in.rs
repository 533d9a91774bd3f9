//! The bytes of a sign-in.

use std::time::Duration;

use baton_core::Timestamp;
use baton_wire::sign_in::{authorize_url, code_request, device_code, device_grant};
use secrecy::ExposeSecret;

#[test]
fn the_page_is_asked_for_as_the_cli_asks() {
    let issuer = "https://auth.openai.com".parse().unwrap();
    let back = "http://localhost:1455/auth/callback";
    let url = authorize_url(&issuer, back, "challenge", &"state".into());
    assert_eq!(
        url.as_str(),
        "https://auth.openai.com/oauth/authorize?response_type=code&client_id=app_EMoamEEZ73f0CkXaXp7hrann&redirect_uri=\
         http%3A%2F%2Flocalhost%3A1455%2Fauth%2Fcallback&code_challenge=challenge&code_challenge_method=S256&state=state&\
         scope=openid+profile+email+offline_access&id_token_add_organizations=true&codex_cli_simplified_flow=true"
    );
    let form = code_request(&"a&b".into(), back, &"verifier".into());
    assert_eq!(
        form.expose_secret(),
        "grant_type=authorization_code&client_id=app_EMoamEEZ73f0CkXaXp7hrann&code=a%26b&redirect_uri=\
         http%3A%2F%2Flocalhost%3A1455%2Fauth%2Fcallback&code_verifier=verifier"
    );
}

#[test]
fn a_device_code_is_read_however_its_numbers_are_written() {
    let read = |body: &str| device_code(body.as_bytes());
    let code = read(
        r#"{"device_auth_id":"d-secret","user_code":"ABCD-12345","interval":"7","expires_at":"2026-11-22T06:49:33Z"}"#,
    )
    .unwrap();
    assert_eq!(
        (&*code.user_code, code.interval),
        ("ABCD-12345", Duration::from_secs(7))
    );
    assert_eq!(code.expires_at, Some(Timestamp::from_secs(1_795_330_173)));
    assert!(!format!("{code:?}").contains("d-secret"));
    let code = read(r#"{"device_auth_id":"d","usercode":"A","interval":0,"expires_at":1795330173}"#).unwrap();
    assert_eq!(
        code.interval,
        Duration::from_secs(5),
        "no service is polled without a pause"
    );
    assert_eq!(code.expires_at, Some(Timestamp::from_secs(1_795_330_173)));
    for none in [
        "",
        "{}",
        r#"{"device_auth_id":"","user_code":"A"}"#,
        r#"{"device_auth_id":"d","user_code":"\u0007"}"#,
    ] {
        assert!(read(none).is_none(), "{none}");
    }
    assert!(device_grant(br#"{"authorization_code":"c"}"#).is_none());
    let grant = device_grant(br#"{"authorization_code":"c-secret","code_verifier":"v-secret"}"#).unwrap();
    assert!(!format!("{grant:?}").contains("secret\""), "{grant:?}");
}
