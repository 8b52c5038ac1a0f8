//! The stats page: one file without anything from elsewhere, which asks the API for what it shows. What
//! it may do in a browser is said by the headers that it comes with.

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("stats.html");

/// What the page may do (Content Security Policy Level 3): run its own script, use its own styles, and
/// ask where it came from.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        source(PAGE, "script"),
        source(PAGE, "style"),
    );
    HeaderValue::try_from(policy).expect("base64 and words are what a header may hold")
});

/// The page, whoever asks: it says nothing by itself.
pub async fn page() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        (header::X_CONTENT_TYPE_OPTIONS, text("nosniff")),
        (header::CACHE_CONTROL, text("no-store")),
        (header::REFERRER_POLICY, text("no-referrer")),
    ];
    (headers, Html(PAGE))
}

fn text(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

/// The source expression of the page's only element of this kind: the hash of what is in it.
fn source(page: &str, element: &str) -> String {
    let (_, rest) = page
        .split_once(&format!("<{element}>"))
        .expect("the page has such an element");
    let (inside, _) = rest
        .split_once(&format!("</{element}>"))
        .expect("the page's elements end");
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(inside)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_allows_itself_and_nothing_else() {
        let policy = POLICY.to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"));
        assert!(!policy.contains("unsafe"), "{policy}");
        // A known hash: of `a`.
        let known = "'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='";
        assert_eq!(source("<script>a</script>", "script"), known);
    }

    #[test]
    fn the_page_has_one_script_one_style_and_nothing_that_the_policy_would_stop() {
        for element in ["<script", "<style"] {
            assert_eq!(PAGE.matches(element).count(), 1, "{element}");
        }
        for bad in [
            " style=",
            " onclick",
            " onload",
            "innerHTML",
            "outerHTML",
            "eval(",
            "://",
        ] {
            assert!(!PAGE.contains(bad), "{bad}");
        }
    }
}
