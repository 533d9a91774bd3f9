//! Nobody but the CLI gets in.

use crate::{routes::get, stage::Stage};

#[tokio::test]
async fn a_wrong_secret_a_foreign_host_and_an_origin_reach_nothing() {
    let stage = Stage::two(10.0, 10.0).await;
    let right = format!("{}/ps/anything", stage.base_url());
    let secret = right.split('/').nth(3).expect("a secret");
    assert_eq!(secret.len(), 43, "256 bits");
    let wrong = right.replace(secret, &"A".repeat(43));
    assert_eq!(get(&wrong, &[]).await.0, 404);
    assert_eq!(get(&right.replace(&format!("{secret}/"), ""), &[]).await.0, 404);
    assert_eq!(get(&right, &[("host", "evil.example")]).await.0, 403);
    assert_eq!(get(&right, &[("origin", "https://evil.example")]).await.0, 403);
    assert_eq!(stage.sim.log().count(|_| true), 0);
}

#[tokio::test]
async fn both_loopback_families_answer() {
    let stage = Stage::two(10.0, 10.0).await;
    let v4 = format!("{}/ps/anything", stage.base_url());
    assert_eq!(get(&v4, &[]).await.0, 404);
    let seen = stage.sim.log().count(|_| true);
    assert_eq!(get(&v4.replace("127.0.0.1", "[::1]"), &[]).await.0, 404);
    assert_eq!(
        stage.sim.log().count(|_| true),
        seen + 1,
        "it reached the upstream"
    );
}
