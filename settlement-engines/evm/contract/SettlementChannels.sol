// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Custody} from "./Custody.sol";
import {ISettlementChannels} from "./ISettlementChannels.sol";

/**
 * @title Settlement channels
 * @notice See {ISettlementChannels}. Nobody owns this contract: it has no pause, no upgrade, no fee and no parameter.
 *
 * @dev Rules that hold after every call, per token:
 * - the contract's balance is the sum of `deposited - claimed` over channels that are not closed, plus all `owed`
 *   (or more: what is sent here past the functions belongs to nobody and stays);
 * - `claimed <= deposited`, and neither ever falls;
 * - the payer gets nothing before `closeAt`, except when the payee closes;
 * - a closed id never opens again, else its old vouchers would count again.
 *
 * Vouchers are checked by ECDSA alone, never by asking the signer's code (EIP-1271, also behind EIP-7702): code may change
 * its mind, and a voucher that was good when the payee took it must stay good.
 *
 * All accounting comes before any call out, and every function that changes state is closed to re-entry. Tokens whose
 * balances change on their own (rebasing) must not be used.
 */
contract SettlementChannels is Custody, EIP712 {
    bytes32 public constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channelId,uint256 cumulative)");

    /**
     * @notice Shortest delay. Below this no payee can count on getting a claim in past a few full blocks, one reorg and
     * two fee raises, so that such a channel would be a trap. It is a floor for the contract, not advice: what a payee
     * needs depends on the chain (a rollup's forced inclusion alone may take a day) and is the payee's to demand.
     */
    uint32 public constant MIN_SETTLE_DELAY = 15 minutes;
    /// @notice Longest delay: a slip of the payer must not lock money for longer than this after a close request.
    uint32 public constant MAX_SETTLE_DELAY = 30 days;

    bytes32 private constant OPEN_AUTHORIZATION = keccak256("SettlementChannels.open");
    bytes32 private constant FUND_AUTHORIZATION = keccak256("SettlementChannels.fund");

    /// @dev `closeAt` of a closed channel. No open one can reach it: the longest delay is 30 days.
    uint64 private constant CLOSED = type(uint64).max;

    /// @dev What a voucher came to. `payee`, `token` and `amount` are set when `fault` is None.
    struct Booking {
        RowFault fault;
        address payee;
        address token;
        uint128 amount;
    }

    mapping(bytes32 id => Channel) private _channels;

    constructor() EIP712("Causeway Settlement Channels", "1") {}

    // Deposits

    /// @inheritdoc ISettlementChannels
    function open(Terms calldata terms, uint128 amount) external payable nonReentrant returns (bytes32 id) {
        id = _create(msg.sender, terms, amount);
        _pull(terms.token, amount);
    }

    /// @inheritdoc ISettlementChannels
    function openWithPermit(Terms calldata terms, uint128 amount, Permit calldata permit)
        external
        nonReentrant
        returns (bytes32 id)
    {
        id = _create(msg.sender, terms, amount);
        _pullWithPermit(terms.token, amount, permit);
    }

    /// @inheritdoc ISettlementChannels
    function openWithAuthorization(address payer, Terms calldata terms, uint128 amount, Authorization calldata auth)
        external
        nonReentrant
        returns (bytes32 id)
    {
        id = _create(payer, terms, amount);
        _pullWithAuthorization(terms.token, payer, amount, openAuthorizationNonce(id), auth);
    }

    /// @inheritdoc ISettlementChannels
    function fund(bytes32 id, uint128 amount) external payable nonReentrant {
        _pull(_addDeposit(id, msg.sender, amount), amount);
    }

    /// @inheritdoc ISettlementChannels
    function fundWithPermit(bytes32 id, uint128 amount, Permit calldata permit) external nonReentrant {
        _pullWithPermit(_addDeposit(id, msg.sender, amount), amount, permit);
    }

    /// @inheritdoc ISettlementChannels
    function fundWithAuthorization(bytes32 id, address from, uint128 amount, bytes32 salt, Authorization calldata auth)
        external
        nonReentrant
    {
        address token = _addDeposit(id, from, amount);
        _pullWithAuthorization(token, from, amount, fundAuthorizationNonce(id, salt), auth);
    }

    // Claims

    /// @inheritdoc ISettlementChannels
    function claim(bytes32 id, uint256 cumulative, bytes calldata signature)
        external
        nonReentrant
        returns (uint128 amount)
    {
        Booking memory booking = _book(id, cumulative, signature);
        if (booking.fault == RowFault.NotOpen) revert ChannelNotOpen(id);
        if (booking.fault == RowFault.BadSignature) revert BadVoucher(id);
        _payout(booking.token, booking.payee, booking.amount);
        return booking.amount;
    }

    /// @inheritdoc ISettlementChannels
    function claimMany(ClaimRow[] calldata rows) external nonReentrant returns (uint256[] memory amounts) {
        amounts = new uint256[](rows.length);
        address payee;
        address token;
        uint256 due;
        for (uint256 row = 0; row < rows.length; ++row) {
            Booking memory booking = _book(rows[row].id, rows[row].cumulative, rows[row].signature);
            if (booking.fault != RowFault.None) {
                emit RowSkipped(row, rows[row].id, booking.fault);
                continue;
            }
            if (booking.payee != payee || booking.token != token) {
                _payout(token, payee, due);
                payee = booking.payee;
                token = booking.token;
                due = 0;
            }
            due += booking.amount;
            amounts[row] = booking.amount;
        }
        _payout(token, payee, due);
    }

    // Ends

    /// @inheritdoc ISettlementChannels
    function requestClose(bytes32 id) external nonReentrant {
        Channel storage channel = _channelOfPayer(id);
        uint64 closeAt = channel.closeAt;
        if (closeAt != 0) revert ChannelClosing(id, closeAt);
        closeAt = uint64(block.timestamp) + channel.settleDelay;
        channel.closeAt = closeAt;
        emit CloseRequested(id, msg.sender, closeAt);
    }

    /// @inheritdoc ISettlementChannels
    function cancelClose(bytes32 id) external nonReentrant {
        Channel storage channel = _channelOfPayer(id);
        if (channel.closeAt == 0) revert ChannelNotClosing(id);
        channel.closeAt = 0;
        emit CloseCancelled(id, msg.sender);
    }

    /// @inheritdoc ISettlementChannels
    function withdraw(bytes32 id) external nonReentrant {
        Channel storage channel = _openChannel(id);
        uint64 closeAt = channel.closeAt;
        if (closeAt == 0) revert ChannelNotClosing(id);
        if (block.timestamp < closeAt) revert TooEarly(id, closeAt);
        (address payer, address token, uint128 rest) = _end(id, channel);
        _payout(token, payer, rest);
    }

    /// @inheritdoc ISettlementChannels
    function close(bytes32 id) external nonReentrant {
        Channel storage channel = _channelOfPayee(id);
        (address payer, address token, uint128 rest) = _end(id, channel);
        _payout(token, payer, rest);
    }

    /// @inheritdoc ISettlementChannels
    function closeWithVoucher(bytes32 id, uint256 cumulative, bytes calldata signature) external nonReentrant {
        Channel storage channel = _channelOfPayee(id);
        Booking memory booking = _book(id, cumulative, signature);
        if (booking.fault == RowFault.BadSignature) revert BadVoucher(id);
        (address payer, address token, uint128 rest) = _end(id, channel);
        _payout(token, msg.sender, booking.amount);
        _payout(token, payer, rest);
    }

    // Views

    /// @inheritdoc ISettlementChannels
    function channelId(address payer, Terms calldata terms) public view returns (bytes32) {
        return keccak256(
            abi.encode(
                block.chainid,
                address(this),
                payer,
                terms.payee,
                terms.token,
                terms.signer,
                terms.settleDelay,
                terms.salt
            )
        );
    }

    /// @inheritdoc ISettlementChannels
    function channelOf(bytes32 id) external view returns (Channel memory) {
        return _channels[id];
    }

    /// @inheritdoc ISettlementChannels
    function stateOf(bytes32 id) external view returns (State) {
        Channel storage channel = _channels[id];
        if (channel.payer == address(0)) return State.None;
        if (channel.closeAt == 0) return State.Open;
        return channel.closeAt == CLOSED ? State.Closed : State.Closing;
    }

    /// @inheritdoc ISettlementChannels
    function claimable(bytes32 id, uint256 cumulative) external view returns (uint128) {
        Channel storage channel = _channels[id];
        if (channel.signer == address(0)) return 0;
        uint128 total = _capped(cumulative, channel.deposited);
        return total > channel.claimed ? total - channel.claimed : 0;
    }

    /// @inheritdoc ISettlementChannels
    function voucherDigest(bytes32 id, uint256 cumulative) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(VOUCHER_TYPEHASH, id, cumulative)));
    }

    /// @inheritdoc ISettlementChannels
    function openAuthorizationNonce(bytes32 id) public pure returns (bytes32) {
        return keccak256(abi.encode(OPEN_AUTHORIZATION, id));
    }

    /// @inheritdoc ISettlementChannels
    function fundAuthorizationNonce(bytes32 id, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode(FUND_AUTHORIZATION, id, salt));
    }

    // Channels

    /// @dev Writes a new channel. The money is to follow in the same call.
    function _create(address payer, Terms calldata terms, uint128 amount) private returns (bytes32 id) {
        address payee = terms.payee;
        if (payee == address(0) || payee == address(this) || payee == payer) revert BadPayee(payee);
        if (terms.signer == address(0)) revert BadSigner();
        uint32 delay = terms.settleDelay;
        if (delay < MIN_SETTLE_DELAY || delay > MAX_SETTLE_DELAY) {
            revert BadSettleDelay(delay, MIN_SETTLE_DELAY, MAX_SETTLE_DELAY);
        }
        if (amount == 0) revert ZeroAmount();
        id = channelId(payer, terms);
        if (_channels[id].payer != address(0)) revert ChannelExists(id);
        _channels[id] = Channel({
            payer: payer,
            closeAt: 0,
            settleDelay: delay,
            payee: payee,
            token: terms.token,
            signer: terms.signer,
            deposited: amount,
            claimed: 0
        });
        emit ChannelOpened(id, payer, payee, terms.token, terms.signer, delay, terms.salt, amount);
    }

    /// @dev Books a top-up. The money is to follow in the same call.
    function _addDeposit(bytes32 id, address from, uint128 amount) private returns (address token) {
        Channel storage channel = _openChannel(id);
        if (channel.closeAt != 0) revert ChannelClosing(id, channel.closeAt);
        if (amount == 0) revert ZeroAmount();
        uint128 deposited = channel.deposited;
        if (amount > type(uint128).max - deposited) revert DepositTooLarge();
        deposited += amount;
        channel.deposited = deposited;
        emit ChannelFunded(id, from, amount, deposited);
        return channel.token;
    }

    /// @dev Books what is new in a voucher. Never reverts. The payout is to follow in the same call.
    function _book(bytes32 id, uint256 cumulative, bytes calldata signature) private returns (Booking memory booking) {
        Channel storage channel = _channels[id];
        address signer = channel.signer;
        if (signer == address(0)) {
            booking.fault = RowFault.NotOpen;
            return booking;
        }
        (uint8 v, bytes32 r, bytes32 s) = ECDSA.parseCalldata(signature);
        (address recovered, ECDSA.RecoverError fault,) = ECDSA.tryRecover(voucherDigest(id, cumulative), v, r, s);
        if (fault != ECDSA.RecoverError.NoError || recovered != signer) {
            booking.fault = RowFault.BadSignature;
            return booking;
        }
        uint128 claimed = channel.claimed;
        uint128 total = _capped(cumulative, channel.deposited);
        if (total <= claimed) {
            booking.fault = RowFault.NothingNew;
            return booking;
        }
        channel.claimed = total;
        booking.payee = channel.payee;
        booking.token = channel.token;
        booking.amount = total - claimed;
        emit Claimed(id, booking.payee, cumulative, total, booking.amount);
    }

    /// @dev Leaves the tombstone and the figures. The payout of `rest` is to follow in the same call.
    function _end(bytes32 id, Channel storage channel) private returns (address payer, address token, uint128 rest) {
        payer = channel.payer;
        token = channel.token;
        uint128 claimed = channel.claimed;
        rest = channel.deposited - claimed;
        channel.closeAt = CLOSED;
        channel.payee = address(0);
        channel.token = address(0);
        channel.signer = address(0);
        emit ChannelClosed(id, msg.sender, claimed, rest);
    }

    function _openChannel(bytes32 id) private view returns (Channel storage channel) {
        channel = _channels[id];
        if (channel.payer == address(0) || channel.closeAt == CLOSED) revert ChannelNotOpen(id);
    }

    function _channelOfPayer(bytes32 id) private view returns (Channel storage channel) {
        channel = _openChannel(id);
        if (channel.payer != msg.sender) revert NotPayer(id);
    }

    function _channelOfPayee(bytes32 id) private view returns (Channel storage channel) {
        channel = _openChannel(id);
        if (channel.payee != msg.sender) revert NotPayee(id);
    }

    function _capped(uint256 cumulative, uint128 deposited) private pure returns (uint128) {
        return cumulative < deposited ? uint128(cumulative) : deposited;
    }
}
