// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/**
 * @title Settlement channels: what callers and log readers need
 * @notice One-way payment channels between any two parties, in the native coin (token 0) or an ERC-20. The payer deposits
 * and signs vouchers; each voucher states the total promised since the channel was opened. Anybody may hand a voucher in:
 * it pays the payee and nobody else. The payer gets the rest back after a delay that both sides knew from the start.
 */
interface ISettlementChannels {
    /// @notice What a channel is, besides its payer. The id binds all of it, so none of it can ever change.
    struct Terms {
        /// @notice Who is paid.
        address payee;
        /// @notice The ERC-20, or 0 for the native coin.
        address token;
        /// @notice The key whose vouchers count. It can promise what is deposited and cannot move anything else.
        address signer;
        /// @notice Seconds between the payer's close request and the payer's withdrawal.
        uint32 settleDelay;
        /// @notice Tells apart channels that are otherwise equal.
        bytes32 salt;
    }

    /// @notice A channel as it is kept. After its end `payee`, `token` and `signer` are 0; the rest stays for good.
    struct Channel {
        address payer;
        /// @notice When the payer may withdraw (Unix seconds); 0 while open, 2^64-1 once closed.
        uint64 closeAt;
        uint32 settleDelay;
        address payee;
        address token;
        address signer;
        /// @notice Put in so far, in the token's smallest unit.
        uint128 deposited;
        /// @notice Paid out to the payee so far; never more than `deposited`, never falling.
        uint128 claimed;
    }

    /// @notice An EIP-2612 permit for this contract, over exactly the amount of the call, given by the caller.
    struct Permit {
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @notice An EIP-3009 `ReceiveWithAuthorization` to this contract; its nonce is set by the call that it is made for.
    struct Authorization {
        uint256 validAfter;
        uint256 validBefore;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @notice One voucher of a batch.
    struct ClaimRow {
        bytes32 id;
        uint256 cumulative;
        bytes signature;
    }

    enum State {
        None,
        Open,
        Closing,
        Closed
    }

    /// @notice Why a voucher moves nothing.
    enum RowFault {
        None,
        /// @notice There is no such channel, or it is closed.
        NotOpen,
        /// @notice Not signed by the channel's key for this channel, contract and chain.
        BadSignature,
        /// @notice No more than what was claimed before, or nothing is left in the channel.
        NothingNew
    }

    /// @notice All terms of a new channel.
    event ChannelOpened(
        bytes32 indexed id,
        address indexed payer,
        address indexed payee,
        address token,
        address signer,
        uint32 settleDelay,
        bytes32 salt,
        uint128 deposited
    );
    /// @param deposited the channel's whole deposit, with `amount`
    event ChannelFunded(bytes32 indexed id, address indexed from, uint128 amount, uint128 deposited);
    /// @param cumulative the voucher's figure, which may be above the deposit
    /// @param claimed the channel's whole payout, with `amount`
    event Claimed(bytes32 indexed id, address indexed payee, uint256 cumulative, uint128 claimed, uint128 amount);
    event CloseRequested(bytes32 indexed id, address indexed payer, uint64 closeAt);
    event CloseCancelled(bytes32 indexed id, address indexed payer);
    /// @param by who ended it: the payee, or whoever triggered the withdrawal
    /// @param rest what the payer gets back
    event ChannelClosed(bytes32 indexed id, address indexed by, uint128 claimed, uint128 rest);
    /// @notice A payout did not go through; it waits in {owed}.
    event PayoutDeferred(address indexed account, address indexed token, uint256 amount);
    event OwedWithdrawn(address indexed account, address indexed token, address to, uint256 amount);
    /// @param row index in the batch
    event RowSkipped(uint256 row, bytes32 indexed id, RowFault fault);

    /// @notice The payee is nobody, this contract, or the payer.
    error BadPayee(address payee);
    /// @notice The voucher key is nobody.
    error BadSigner();
    error BadSettleDelay(uint32 settleDelay, uint32 min, uint32 max);
    error ZeroAmount();
    /// @notice The whole deposit would not fit 128 bits.
    error DepositTooLarge();
    /// @notice The native coin sent is not what the call says.
    error WrongValue(uint256 expected, uint256 sent);
    /// @notice There is no code at this address.
    error NotAToken(address token);
    /// @notice Another amount arrived than was sent: tokens with a transfer fee cannot be escrowed.
    error WrongAmountReceived(uint256 expected, uint256 received);
    /// @notice The id is in use, or was.
    error ChannelExists(bytes32 id);
    /// @notice There is no such channel, or it is closed.
    error ChannelNotOpen(bytes32 id);
    /// @notice Not while the channel is closing.
    error ChannelClosing(bytes32 id, uint64 closeAt);
    /// @notice Nobody asked for a close.
    error ChannelNotClosing(bytes32 id);
    /// @notice The payee's time to claim is not over.
    error TooEarly(bytes32 id, uint64 closeAt);
    error NotPayer(bytes32 id);
    error NotPayee(bytes32 id);
    /// @notice Not signed by the channel's key for this channel, contract and chain.
    error BadVoucher(bytes32 id);
    error NothingOwed(address account, address token);
    error BadRecipient(address to);
    error PayoutFailed(address to, uint256 amount);
    /// @notice Call again with more gas: a payout failed that was not given all it may use.
    error InsufficientGas();

    /**
     * @notice Opens a channel paid by the caller: with the native coin sent along, or an ERC-20 by allowance.
     * @param amount first deposit, more than 0
     * @return id see {channelId}
     */
    function open(Terms calldata terms, uint128 amount) external payable returns (bytes32 id);

    /**
     * @notice Opens an ERC-20 channel paid by the caller, with an EIP-2612 permit instead of an allowance.
     * A permit that somebody else used up first does no harm: the allowance it gave is still there.
     */
    function openWithPermit(Terms calldata terms, uint128 amount, Permit calldata permit) external returns (bytes32 id);

    /**
     * @notice Opens an ERC-20 channel paid by `payer`, with an EIP-3009 authorization; anybody may send it.
     * @param auth its nonce must be {openAuthorizationNonce} of the id: the payer's signature covers all terms
     */
    function openWithAuthorization(address payer, Terms calldata terms, uint128 amount, Authorization calldata auth)
        external
        returns (bytes32 id);

    /// @notice Adds to the deposit; anybody may. Not while the channel is closing.
    function fund(bytes32 id, uint128 amount) external payable;

    /// @notice {fund} with an EIP-2612 permit of the caller.
    function fundWithPermit(bytes32 id, uint128 amount, Permit calldata permit) external;

    /**
     * @notice {fund} with an EIP-3009 authorization of `from`; anybody may send it.
     * @param salt tells apart top-ups of one channel
     * @param auth its nonce must be {fundAuthorizationNonce} of id and salt
     */
    function fundWithAuthorization(bytes32 id, address from, uint128 amount, bytes32 salt, Authorization calldata auth)
        external;

    /**
     * @notice Hands a voucher in. Anybody may; the payee is paid what is new in it, as far as the deposit goes.
     * A voucher that brings nothing new is no error and pays nothing.
     * @param cumulative total promised since the channel was opened
     * @param signature 65 bytes (r, s, v) or 64 bytes (EIP-2098)
     * @return amount paid now
     */
    function claim(bytes32 id, uint256 cumulative, bytes calldata signature) external returns (uint128 amount);

    /**
     * @notice Hands many vouchers in. A row that moves nothing is reported by {RowSkipped} and stops nothing.
     * Rows in sequence for the same payee and token are paid in one transfer: order them so.
     * @return amounts paid per row
     */
    function claimMany(ClaimRow[] calldata rows) external returns (uint256[] memory amounts);

    /// @notice The payer asks for the rest. The payee has `settleDelay` seconds from now to claim.
    function requestClose(bytes32 id) external;

    /// @notice The payer takes the request back.
    function cancelClose(bytes32 id) external;

    /// @notice Ends a channel whose delay is over; the rest goes to the payer. Anybody may send it.
    function withdraw(bytes32 id) external;

    /// @notice The payee ends the channel at once; the rest goes to the payer.
    function close(bytes32 id) external;

    /// @notice {claim} and {close} in one. An old voucher pays nothing and does not stop the close.
    function closeWithVoucher(bytes32 id, uint256 cumulative, bytes calldata signature) external;

    /**
     * @notice Pays out what is owed to `account`, with all gas. Anybody may send it to `account` itself; the native coin
     * may also be sent elsewhere by `account`. Tokens may not: this is no way around a token's own blocklist.
     */
    function withdrawOwed(address account, address token, address to) external;

    /// @notice Payouts that did not go through.
    function owed(address account, address token) external view returns (uint256 amount);

    /// @notice keccak256(abi.encode(chain id, this contract, payer, payee, token, signer, settleDelay, salt)).
    function channelId(address payer, Terms calldata terms) external view returns (bytes32 id);

    /// @notice The channel, all zero when there never was one.
    function channelOf(bytes32 id) external view returns (Channel memory channel);

    function stateOf(bytes32 id) external view returns (State state);

    /// @notice What {claim} would pay for a good voucher of this figure; 0 for a channel that is not open.
    function claimable(bytes32 id, uint256 cumulative) external view returns (uint128 amount);

    /// @notice The EIP-712 digest to sign: `Voucher(bytes32 channelId,uint256 cumulative)`.
    function voucherDigest(bytes32 id, uint256 cumulative) external view returns (bytes32 digest);

    function openAuthorizationNonce(bytes32 id) external pure returns (bytes32 nonce);

    function fundAuthorizationNonce(bytes32 id, bytes32 salt) external pure returns (bytes32 nonce);
}
