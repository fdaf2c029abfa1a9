/// What the instance metadata service tells an SDK that asks for the instance's credentials. Amazon EC2 User Guide,
/// "Retrieve security credentials from instance metadata".
package enum InstanceMetadata {
    /// The key by which the instance's credentials are told from others.
    package static let nodeKey = "ASIANODE000000000001"

    private static let role = "node"
    private static let folder = "/latest/meta-data/iam/security-credentials/"

    /// The answer to each method and path. A request without a token is answered too, as with `HttpTokens=optional`.
    static let pages = [
        "PUT /latest/api/token": "session-token",
        "GET \(folder)": role,
        "GET \(folder)\(role)": """
        {"Code":"Success","Type":"AWS-HMAC","LastUpdated":"2024-01-01T00:00:00Z","AccessKeyId":"\(nodeKey)",\
        "SecretAccessKey":"secret","Token":"token","Expiration":"2099-12-31T23:59:59Z"}
        """,
    ]
}
